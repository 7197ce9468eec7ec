/* Settings from the environment: POSTERN_NAME, and POSTERN_NAME_FILE for secrets. */
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/config/config_table.h"

extern char **environ;

void config_environment_name(const struct config_row *row, const char *suffix,
			     char out[CONFIG_ENVIRONMENT_NAME_MAX])
{
	snprintf(out, CONFIG_ENVIRONMENT_NAME_MAX, CONFIG_PREFIX "%s%s", row->name, suffix);
	for (char *p = out; *p; p++)
		*p = (char)toupper((unsigned char)*p);
}

/* Kubernetes sets variables in each pod for the services in its namespace. For a service
 *postern-redis:
 *
 *	POSTERN_REDIS_SERVICE_HOST=10.0.0.1   POSTERN_REDIS_SERVICE_PORT=6379
 *	POSTERN_REDIS_SERVICE_PORT_NAME=6379  POSTERN_REDIS_PORT=tcp://10.0.0.1:6379
 *	POSTERN_REDIS_PORT_6379_TCP=tcp://10.0.0.1:6379, and _PROTO, _PORT, _ADDR
 *
 * These are no settings. A service postern-smtp sets even our POSTERN_SMTP_PORT to such a URL. */
static bool is_service_url(const char *value)
{
	return strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0 ||
	       strncmp(value, "sctp://", 7) == 0;
}

static const char service_variables[] = "^([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|"
					"PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)=|"
					"^([A-Z0-9_]+_)?PORT=(tcp|udp|sctp)://";

static int read_secret_file(const struct config_row *row, const char *name, const char *file,
			    config_found_fn *fn, void *arg, struct err *e)
{
	struct buf text = {0};
	int status = config_file_read(file, &text, e);

	while (text.len && strchr("\r\n", text.data[text.len - 1]))
		text.len--;
	if (text.data)
		text.data[text.len] = 0;
	if (status == 0 && strlen(buf_text(&text)) != text.len)
		status = err_set(e, ERR_INPUT, "%s: the file contains a NUL character", file);
	if (status == 0)
		status = fn(row, buf_text(&text), name, arg, e);
	buf_wipe(&text);
	return status < 0 ? err_prefix(e, "%s", name) : 0;
}

static int read_row(const struct config_row *row, config_found_fn *fn, void *arg, struct err *e)
{
	char name[CONFIG_ENVIRONMENT_NAME_MAX], file_name[CONFIG_ENVIRONMENT_NAME_MAX];
	const char *text, *file = NULL;

	config_environment_name(row, "", name);
	config_environment_name(row, "_FILE", file_name);
	text = getenv(name);
	if (text && row->type == CONFIG_NUMBER && is_service_url(text))
		text = NULL;
	if (row->secrecy != CONFIG_OPEN)
		file = getenv(file_name);
	if (text && *text && file && *file)
		return err_set(e, ERR_INPUT, "%s and %s: set only one of them", name, file_name);
	if (file && *file)
		return read_secret_file(row, file_name, file, fn, arg, e);
	if (text && fn(row, text, name, arg, e) < 0)
		return err_prefix(e, "%s", name);
	return 0;
}

static bool is_file_name(char *name)
{
	size_t len = strlen(name);
	const struct config_row *row;

	if (len < 6 || strcmp(name + len - 5, "_file") != 0)
		return false;
	name[len - 5] = 0;
	row = config_row_find(name);
	name[len - 5] = '_';
	return row && row->secrecy != CONFIG_OPEN;
}

/* The examples of the documentation read POSTERN_URL and POSTERN_KEY. The shell that has them may
 * also start Postern. */
static bool is_client_name(const char *name)
{
	return strcmp(name, "url") == 0 || strcmp(name, "key") == 0;
}

/* entry: the part of "POSTERN_NAME=value" after POSTERN_. */
static int check_env_name(const char *entry, struct err *e)
{
	char name[CONFIG_NAME_MAX + 1], like_name[CONFIG_ENVIRONMENT_NAME_MAX];
	size_t len = strcspn(entry, "=");
	const struct config_row *like;

	snprintf(name, sizeof(name), "%.*s", (int)(len > CONFIG_NAME_MAX ? CONFIG_NAME_MAX : len),
		 entry);
	for (char *p = name; *p; p++) /* "!": names in lower case are not found */
		*p = islower((unsigned char)*p) ? '!' : (char)tolower((unsigned char)*p);
	if (config_row_find(name) || is_file_name(name) || is_client_name(name))
		return 0;
	like = config_row_like(name);
	if (!like)
		return err_set(e, ERR_INPUT,
			       CONFIG_PREFIX
			       "%.*s: unknown setting; `postern config table` lists all",
			       (int)(len > 60 ? 60 : len), entry);
	config_environment_name(like, "", like_name);
	return err_set(e, ERR_INPUT, CONFIG_PREFIX "%.*s: unknown setting; did you mean %s?",
		       (int)(len > 60 ? 60 : len), entry, like_name);
}

static int check_names(struct err *e)
{
	size_t prefix = strlen(CONFIG_PREFIX);
	regex_t service;
	int status = 0;

	if (regcomp(&service, service_variables, REG_EXTENDED | REG_NOSUB) != 0)
		return err_oom(e);
	for (char **p = environ; *p && status == 0; p++)
		if (strncmp(*p, CONFIG_PREFIX, prefix) == 0 &&
		    regexec(&service, *p + prefix, 0, NULL, 0) != 0)
			status = check_env_name(*p + prefix, e);
	regfree(&service);
	return status;
}

int config_environment_read(config_found_fn *fn, void *arg, struct err *e)
{
	if (check_names(e) < 0)
		return -1;
	for (size_t i = 0; i < config_rows_count; i++)
		if (read_row(&config_rows[i], fn, arg, e) < 0)
			return -1;
	return 0;
}

void config_forget_environment(void)
{
	char name[CONFIG_ENVIRONMENT_NAME_MAX];

	for (size_t i = 0; i < config_rows_count; i++) {
		char *text;

		if (config_rows[i].secrecy == CONFIG_OPEN)
			continue;
		config_environment_name(&config_rows[i], "", name);
		text = getenv(name);
		if (text) /* unsetenv alone leaves the bytes in /proc/PID/environ */
			explicit_bzero(text, strlen(text));
		unsetenv(name);
	}
}

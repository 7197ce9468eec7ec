/* Reads the settings from defaults, file and environment, in that order, and shows them. */
#include "server/config/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/config/config_table.h"

#define ROWS_MAX 64
#define FILE_MAX_BYTES ((size_t)1 << 20)
#define STANDARD_FILE "postern.yaml"
#define PREFIX "POSTERN_"
#define ENV_NAME_MAX (sizeof(PREFIX) + CONFIG_NAME_MAX + sizeof("_FILE"))

extern char **environ;

/* What config_load hands out is the first member; behind it is where each value came from. */
struct loaded {
	struct config config;
	char *texts[ROWS_MAX];
	char *sources[ROWS_MAX];
	const char *file;
	char *given_file; /* as config_load_preset got it, for config_reload; may be NULL */
	const struct config_preset *presets;
};

static void wipe_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* "" stands for the default, whoever says it. */
static int put(struct loaded *l, const struct config_row *row, const char *text, const char *source,
	       struct err *e)
{
	size_t i = (size_t)(row - config_rows);
	char *copy = strdup(*text ? text : row->standard);
	char *from = strdup(source);

	if (!copy || !from) {
		wipe_free(copy);
		free(from);
		return err_oom(e);
	}
	if (config_value_set(row, copy, &l->config, e) < 0) {
		wipe_free(copy);
		free(from);
		return -1;
	}
	wipe_free(l->texts[i]);
	free(l->sources[i]);
	l->texts[i] = copy;
	l->sources[i] = from;
	return 0;
}

static int put_presets(struct loaded *l, const struct config_preset *presets, struct err *e)
{
	for (size_t i = 0; i < config_rows_count; i++)
		if (put(l, &config_rows[i], "", "default", e) < 0)
			return err_prefix(e, "%s", config_rows[i].name);
	for (; presets && presets->name; presets++) {
		const struct config_row *row = config_row_find(presets->name);

		if (!row || put(l, row, presets->value, "default of this command", e) < 0)
			return err_prefix(e, "%s", presets->name);
	}
	return 0;
}

/* ---- the file ---- */

static int read_file(const char *file, struct buf *out, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : 1;

	out->limit = FILE_MAX_BYTES;
	while (n > 0) {
		char *to = buf_reserve(out, 4096);

		n = to ? read(fd, to, 4096) : 0;
		if (n > 0)
			out->len += (size_t)n;
	}
	if (n < 0)
		err_set(e, ERR_INPUT, "%s: %s", file, strerror(errno));
	else if (out->failed)
		n = err_set(e, ERR_INPUT, "%s: too big", file);
	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

static void buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_deinit(b);
}

static int put_from_file(const struct config_row *row, const char *text, unsigned line, void *arg,
			 struct err *e)
{
	struct loaded *l = arg;
	char source[300];

	snprintf(source, sizeof(source), "%.280s:%u", l->file, line);
	return put(l, row, text, source, e);
}

static int load_file(struct loaded *l, const char *file, struct err *e)
{
	struct buf yaml = {0};
	int status;

	if (!file && access(STANDARD_FILE, F_OK) != 0)
		return 0;
	l->file = file ? file : STANDARD_FILE;
	status = read_file(l->file, &yaml, e);
	if (status == 0)
		status = config_yaml_read(l->file, buf_text(&yaml), yaml.len, put_from_file, l, e);
	buf_wipe(&yaml);
	return status;
}

/* ---- the environment ---- */

static void env_name(const struct config_row *row, const char *suffix, char *out)
{
	snprintf(out, ENV_NAME_MAX, PREFIX "%s%s", row->name, suffix);
	for (char *p = out; *p; p++)
		*p = (char)toupper((unsigned char)*p);
}

static int put_secret_file(struct loaded *l, const struct config_row *row, const char *name,
			   const char *file, struct err *e)
{
	struct buf text = {0};
	int status = read_file(file, &text, e);

	while (text.len && strchr("\r\n", text.data[text.len - 1]))
		text.len--;
	if (text.data)
		text.data[text.len] = 0;
	if (status == 0 && strlen(buf_text(&text)) != text.len)
		status = err_set(e, ERR_INPUT, "%s: a NUL character in it", file);
	if (status == 0)
		status = put(l, row, buf_text(&text), name, e);
	buf_wipe(&text);
	return status < 0 ? err_prefix(e, "%s", name) : 0;
}

static int load_env(struct loaded *l, const struct config_row *row, struct err *e)
{
	char name[ENV_NAME_MAX], file_name[ENV_NAME_MAX];
	const char *text, *file = NULL;

	env_name(row, "", name);
	env_name(row, "_FILE", file_name);
	text = getenv(name);
	if (row->secrecy != CONFIG_OPEN)
		file = getenv(file_name);
	if (text && *text && file && *file)
		return err_set(e, ERR_INPUT, "%s and %s: one of them only", name, file_name);
	if (file && *file)
		return put_secret_file(l, row, file_name, file, e);
	if (text && put(l, row, text, name, e) < 0)
		return err_prefix(e, "%s", name);
	return 0;
}

/* Kubernetes tells pods of a service called "postern" about it with these names. */
static bool is_service_link(const char *name)
{
	return strncmp(name, "SERVICE_", 8) == 0 || strncmp(name, "PORT_", 5) == 0 ||
	       strcmp(name, "PORT") == 0;
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

/* entry: what follows POSTERN_ in "POSTERN_NAME=value". */
static int check_env_name(const char *entry, struct err *e)
{
	char name[CONFIG_NAME_MAX + 1], like_name[ENV_NAME_MAX];
	size_t len = strcspn(entry, "=");
	const struct config_row *like;

	snprintf(name, sizeof(name), "%.*s", (int)(len > CONFIG_NAME_MAX ? CONFIG_NAME_MAX : len),
		 entry);
	if (is_service_link(name))
		return 0;
	for (char *p = name; *p; p++) /* ! keeps a name in lower case from being found */
		*p = islower((unsigned char)*p) ? '!' : (char)tolower((unsigned char)*p);
	if (config_row_find(name) || is_file_name(name))
		return 0;
	like = config_row_like(name);
	if (!like)
		return err_set(e, ERR_INPUT,
			       PREFIX "%.*s: unknown setting; `postern config show` lists all",
			       (int)(len > 60 ? 60 : len), entry);
	env_name(like, "", like_name);
	return err_set(e, ERR_INPUT, PREFIX "%.*s: unknown setting; did you mean %s?",
		       (int)(len > 60 ? 60 : len), entry, like_name);
}

static int load_environment(struct loaded *l, struct err *e)
{
	size_t prefix = strlen(PREFIX);

	for (char **p = environ; *p; p++)
		if (strncmp(*p, PREFIX, prefix) == 0 && check_env_name(*p + prefix, e) < 0)
			return -1;
	for (size_t i = 0; i < config_rows_count; i++)
		if (load_env(l, &config_rows[i], e) < 0)
			return -1;
	return 0;
}

void config_forget_environment(void)
{
	char name[ENV_NAME_MAX];

	for (size_t i = 0; i < config_rows_count; i++) {
		char *text;

		if (config_rows[i].secrecy == CONFIG_OPEN)
			continue;
		env_name(&config_rows[i], "", name);
		text = getenv(name);
		if (text) /* unsetenv alone leaves the bytes for /proc/PID/environ */
			explicit_bzero(text, strlen(text));
		unsetenv(name);
	}
}

/* ---- what must fit together ---- */

static bool is_set(const char *text)
{
	return text && *text;
}

static int check_together(const struct config *c, struct err *e)
{
	const int64_t all = ROLE_API | ROLE_RELAY | ROLE_KEEPER | ROLE_HOOKS;
	int dkim = is_set(c->dkim_key) + is_set(c->dkim_domain) + is_set(c->dkim_selector);

	if (is_set(c->tls_cert) != is_set(c->tls_key))
		return err_set(e, ERR_INPUT, "tls_cert and tls_key: both or neither");
	if (dkim != 0 && dkim != 3)
		return err_set(e, ERR_INPUT,
			       "dkim_key, dkim_domain and dkim_selector: all three or none");
	if ((c->roles & all) != all && !is_set(c->redis_url))
		return err_set(e, ERR_INPUT,
			       "roles: a subset needs redis_url: nobody would drain a private "
			       "store");
	if (c->retention_s < c->idempotency_s)
		return err_set(e, ERR_INPUT, "retention_s: must be at least idempotency_s");
	if (c->retry_max_s < c->retry_first_s || c->retry_max_s < c->retry_first_otp_s)
		return err_set(e, ERR_INPUT,
			       "retry_max_s: must be at least retry_first_s and retry_first_otp_s");
	if (c->max_body_bytes < c->max_message_bytes)
		return err_set(e, ERR_INPUT, "max_body_bytes: must be at least max_message_bytes");
	return 0;
}

int config_load_preset(struct config **c, const char *file, const struct config_preset *presets,
		       struct err *e)
{
	struct loaded *l = calloc(1, sizeof(*l));

	if (!l)
		return err_oom(e);
	if (put_presets(l, presets, e) < 0 || load_file(l, file, e) < 0 ||
	    load_environment(l, e) < 0 || check_together(&l->config, e) < 0) {
		config_free(&l->config);
		return -1;
	}
	l->file = NULL;
	l->presets = presets;
	l->given_file = file ? strdup(file) : NULL;
	*c = &l->config;
	return 0;
}

/* What does not come from the file stays as it is: the environment of a process does not change,
 * and its secrets are wiped. */
static bool is_from_elsewhere(const struct loaded *old, size_t i)
{
	return strncmp(old->sources[i], PREFIX, strlen(PREFIX)) == 0 ||
	       strncmp(old->sources[i], "made", 4) == 0;
}

/* The row as the old configuration has it. */
static int keep_row(struct loaded *l, const struct loaded *old, size_t i, struct err *e)
{
	return put(l, &config_rows[i], old->texts[i], old->sources[i], e);
}

static int keep_what_stays(struct loaded *l, const struct loaded *old, struct buf *ignored,
			   struct err *e)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		bool differs = strcmp(l->texts[i], old->texts[i]) != 0;
		bool is_kept = is_from_elsewhere(old, i);

		if (!is_kept && (config_rows[i].is_reloadable || !differs))
			continue;
		if (!is_kept)
			buf_fmt(ignored, "%s%s", ignored->len ? ", " : "", config_rows[i].name);
		if (keep_row(l, old, i, e) < 0)
			return -1;
	}
	return 0;
}

int config_reload(const struct config *c, struct config **fresh, struct buf *ignored, struct err *e)
{
	const struct loaded *old = (const struct loaded *)c;
	struct loaded *l = calloc(1, sizeof(*l));

	if (!l)
		return err_oom(e);
	l->given_file = old->given_file ? strdup(old->given_file) : NULL;
	l->presets = old->presets;
	if (put_presets(l, l->presets, e) < 0 || load_file(l, l->given_file, e) < 0 ||
	    keep_what_stays(l, old, ignored, e) < 0 || check_together(&l->config, e) < 0) {
		config_free(&l->config);
		return -1;
	}
	l->file = NULL;
	*fresh = &l->config;
	return 0;
}

int config_load(struct config **c, const char *file, struct err *e)
{
	return config_load_preset(c, file, NULL, e);
}

int config_set(struct config *c, const char *name, const char *text, const char *source,
	       struct err *e)
{
	const struct config_row *row = config_row_find(name);

	if (!row || put((struct loaded *)c, row, text, source, e) < 0)
		return err_prefix(e, "%s", name);
	return 0;
}

void config_free(struct config *c)
{
	struct loaded *l = (struct loaded *)c;

	if (!l)
		return;
	for (size_t i = 0; i < config_rows_count; i++) {
		wipe_free(l->texts[i]);
		free(l->sources[i]);
	}
	free(l->given_file);
	free(l);
}

/* ---- showing ---- */

/* The password of scheme://user:password@host; all of it when that cannot be told. */
static void show_url(const char *text, struct buf *out)
{
	const char *user = strstr(text, "://");
	const char *at = strrchr(text, '@');
	const char *colon = user ? strchr(user + 3, ':') : NULL;

	if (at && colon && colon < at)
		buf_fmt(out, "\"%.*s:********%s\"", (int)(colon - text), text, at);
	else if (at)
		buf_str(out, "\"********\"");
	else
		buf_fmt(out, "\"%s\"", text);
}

static void show_text(const char *text, struct buf *out)
{
	buf_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_char(out, '\\');
		buf_char(out, *text);
	}
	buf_char(out, '"');
}

static void show_value(const struct config_row *row, const char *text, struct buf *out)
{
	if (row->secrecy == CONFIG_SECRET && *text)
		buf_str(out, "\"********\"");
	else if (row->secrecy == CONFIG_SECRET_URL && *text)
		show_url(text, out);
	else if (row->type == CONFIG_TEXT)
		show_text(text, out);
	else
		buf_str(out, text);
}

void config_show(const struct config *c, struct buf *out)
{
	const struct loaded *l = (const struct loaded *)c;

	for (size_t i = 0; i < config_rows_count; i++) {
		buf_fmt(out, "%s: ", config_rows[i].name);
		show_value(&config_rows[i], l->texts[i], out);
		buf_fmt(out, " # %s\n", l->sources[i]);
	}
}

void config_table(struct buf *out)
{
	char name[ENV_NAME_MAX];

	buf_str(out, "| postern.yaml | environment | default | |\n|---|---|---|---|\n");
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct config_row *row = &config_rows[i];

		env_name(row, "", name);
		buf_fmt(out, "| `%s` | `%s`%s | %s%s%s | %s |\n", row->name, name,
			row->secrecy == CONFIG_OPEN ? "" : " (`_FILE`)", *row->standard ? "`" : "",
			row->standard, *row->standard ? "`" : "", row->help);
	}
}

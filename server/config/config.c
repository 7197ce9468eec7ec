/* A configuration: the settings from defaults, file and environment, in that order. */
#include "server/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/config/config_table.h"

#define STANDARD_FILE "postern.yaml"

/* config_load returns the first member; the others record the source of each value. */
struct loaded {
	struct config config;
	char *texts[CONFIG_ROWS_MAX];
	char *sources[CONFIG_ROWS_MAX];
	char *given_file; /* as config_load_preset got it, for config_reload; may be NULL */
	const char *file; /* the file that was read: given_file or STANDARD_FILE; NULL = none */
	const struct config_preset *presets;
};

static void wipe_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* An empty text means the default, from any source. */
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

static int put_found(const struct config_row *row, const char *text, const char *source, void *arg,
		     struct err *e)
{
	return put(arg, row, text, source, e);
}

static int load_file(struct loaded *l, const char *file, struct err *e)
{
	struct buf yaml = {0};
	int status;

	if (!file && access(STANDARD_FILE, F_OK) != 0)
		return 0;
	file = file ? file : STANDARD_FILE;
	l->file = file;
	status = config_file_read(file, &yaml, e);
	if (status == 0)
		status = config_yaml_read(file, buf_text(&yaml), yaml.len, put_found, l, e);
	buf_wipe(&yaml);
	return status;
}

static bool is_set(const char *text)
{
	return text && *text;
}

static int check_together(const struct config *c, struct err *e)
{
	const int64_t all = ROLE_API | ROLE_RELAY | ROLE_KEEPER | ROLE_HOOKS;
	int dkim = is_set(c->dkim_key) + is_set(c->dkim_domain) + is_set(c->dkim_selector);

	if (is_set(c->tls_cert) != is_set(c->tls_key))
		return err_set(e, ERR_INPUT, "tls_cert and tls_key: set both or neither");
	if (dkim != 0 && dkim != 3)
		return err_set(e, ERR_INPUT,
			       "dkim_key, dkim_domain and dkim_selector: set all three or none");
	if ((c->roles & all) != all && !is_set(c->redis_url))
		return err_set(e, ERR_INPUT,
			       "roles: a subset needs redis_url: no other process could use the "
			       "embedded Redis");
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
	    config_environment_read(put_found, l, e) < 0 || check_together(&l->config, e) < 0) {
		config_free(&l->config);
		return -1;
	}
	l->presets = presets;
	l->given_file = file ? strdup(file) : NULL;
	l->file = file && l->file ? l->given_file : l->file;
	*c = &l->config;
	return 0;
}

bool config_has_metrics(const struct config *c)
{
	return strcmp(c->metrics_listen, "off") != 0;
}

/* The environment of a process does not change, and its secrets are wiped after the start. */
static bool is_from_elsewhere(const struct loaded *old, size_t i)
{
	return strncmp(old->sources[i], CONFIG_PREFIX, strlen(CONFIG_PREFIX)) == 0 ||
	       strncmp(old->sources[i], "made", 4) == 0;
}

/* Keeps the value of the row from the old configuration. */
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

bool config_is_given(const struct config *c, const char *name)
{
	const struct config_row *row = config_row_find(name);

	return row && strcmp(config_source(c, row), "default") != 0 && *config_text(c, row);
}

const char *config_file(const struct config *c)
{
	const struct loaded *l = (const struct loaded *)c;

	return l->file ? l->file : "";
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

const char *config_text(const struct config *c, const struct config_row *row)
{
	return ((const struct loaded *)c)->texts[row - config_rows];
}

const char *config_source(const struct config *c, const struct config_row *row)
{
	return ((const struct loaded *)c)->sources[row - config_rows];
}

/* Shows settings: those in force, and the table of all for the documentation. */
#include <string.h>

#include "server/base/buf.h"
#include "server/config/config_table.h"

/* Masks the password of scheme://user:password@host; the whole text when there is an "@" but no
 * password can be found. */
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
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct config_row *row = &config_rows[i];

		buf_fmt(out, "%s: ", row->name);
		show_value(row, config_text(c, row), out);
		buf_fmt(out, " # %s\n", config_source(c, row));
	}
}

void config_table(struct buf *out)
{
	char name[CONFIG_ENVIRONMENT_NAME_MAX];

	buf_str(out, "| postern.yaml | environment | default | |\n|---|---|---|---|\n");
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct config_row *row = &config_rows[i];

		config_environment_name(row, "", name);
		buf_fmt(out, "| `%s` | `%s`%s | %s%s%s | %s |\n", row->name, name,
			row->secrecy == CONFIG_OPEN ? "" : " (`_FILE`)", *row->standard ? "`" : "",
			row->standard, *row->standard ? "`" : "", row->help);
	}
}

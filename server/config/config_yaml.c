/* postern.yaml: libyaml finds keys and their lines, libcyaml reads the values by the table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>
#include <yaml.h>

#include "server/config/config_table.h"

/* The line of each setting in the file; 0 = the file does not have it. */
struct walk {
	yaml_parser_t parser;
	const char *file;
	unsigned lines[CONFIG_ROWS_MAX];
	bool is_null[CONFIG_ROWS_MAX]; /* `name: null`: not set */
	size_t order[CONFIG_ROWS_MAX];
	size_t n;
};

static unsigned line_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

static int next_event(struct walk *w, yaml_event_t *event, struct err *e)
{
	size_t line;

	if (yaml_parser_parse(&w->parser, event))
		return 0;
	line = w->parser.problem_mark.line;
	if (w->parser.error == YAML_MEMORY_ERROR)
		return err_oom(e);
	return err_set(e, ERR_INPUT, "%s:%zu: not valid YAML: %s", w->file, line + 1,
		       w->parser.problem ? w->parser.problem : "unreadable");
}

/* Reads an event of which only the type matters. */
static int skip_event(struct walk *w, yaml_event_type_t *type, unsigned *line, struct err *e)
{
	yaml_event_t event;

	if (next_event(w, &event, e) < 0)
		return -1;
	*type = event.type;
	*line = line_of(&event);
	yaml_event_delete(&event);
	return 0;
}

/* Skips to the mapping of settings. 1 = found, 0 = the file is empty. */
static int find_mapping(struct walk *w, struct err *e)
{
	for (;;) {
		yaml_event_type_t type;
		unsigned line;

		if (skip_event(w, &type, &line, e) < 0)
			return -1;
		if (type == YAML_MAPPING_START_EVENT || type == YAML_STREAM_END_EVENT)
			return type == YAML_MAPPING_START_EVENT;
		if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT)
			return err_set(e, ERR_INPUT,
				       "%s:%u: lines like `listen: 127.0.0.1:8080` are expected",
				       w->file, line);
	}
}

static int note_key(struct walk *w, const char *key, unsigned line, struct err *e)
{
	const struct config_row *row = config_row_find(key);
	const struct config_row *like = row ? NULL : config_row_like(key);
	size_t i = row ? (size_t)(row - config_rows) : 0;

	if (like)
		return err_set(e, ERR_INPUT, "%s:%u: %.60s: unknown key; did you mean %s?", w->file,
			       line, key, like->name);
	if (!row)
		return err_set(e, ERR_INPUT,
			       "%s:%u: %.60s: unknown key; `postern config table` lists all",
			       w->file, line, key);
	if (w->lines[i])
		return err_set(e, ERR_INPUT, "%s:%u: %s: duplicate key, first in line %u", w->file,
			       line, key, w->lines[i]);
	w->lines[i] = line;
	w->order[w->n++] = i;
	return 0;
}

/* The forms of null in YAML 1.2 10.3.2. An empty value means null as well; it needs no check. */
static bool is_null(const yaml_event_t *event)
{
	static const char *const words[] = {"~", "null", "Null", "NULL"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		    strcmp((const char *)event->data.scalar.value, words[i]) == 0)
			return true;
	return false;
}

/* Checks the value of the key that was noted last. key: for the message. */
static int check_value(struct walk *w, const char *key, const yaml_event_t *event, struct err *e)
{
	const char *text = (const char *)event->data.scalar.value;

	if (event->type != YAML_SCALAR_EVENT)
		return err_set(e, ERR_INPUT, "%s:%u: %s: one plain value is expected", w->file,
			       line_of(event), key);
	if (strlen(text) != event->data.scalar.length)
		return err_set(e, ERR_INPUT, "%s:%u: %s: the value contains a NUL character",
			       w->file, line_of(event), key);
	w->is_null[w->order[w->n - 1]] = is_null(event);
	return 0;
}

/* One key and its value. 1 = read, 0 = the mapping ended. */
static int walk_pair(struct walk *w, struct err *e)
{
	yaml_event_t key, value;
	int status;

	if (next_event(w, &key, e) < 0)
		return -1;
	if (key.type == YAML_MAPPING_END_EVENT) {
		yaml_event_delete(&key);
		return 0;
	}
	if (key.type != YAML_SCALAR_EVENT)
		status = err_set(e, ERR_INPUT, "%s:%u: a key is expected", w->file, line_of(&key));
	else
		status = note_key(w, (const char *)key.data.scalar.value, line_of(&key), e);
	if (status == 0)
		status = next_event(w, &value, e);
	if (status == 0) {
		status = check_value(w, (const char *)key.data.scalar.value, &value, e);
		yaml_event_delete(&value);
	}
	yaml_event_delete(&key);
	return status < 0 ? -1 : 1;
}

static int walk_end(struct walk *w, struct err *e)
{
	for (;;) {
		yaml_event_type_t type;
		unsigned line;

		if (skip_event(w, &type, &line, e) < 0)
			return -1;
		if (type == YAML_STREAM_END_EVENT)
			return 0;
		if (type != YAML_DOCUMENT_END_EVENT)
			return err_set(e, ERR_INPUT, "%s:%u: only one YAML document is allowed",
				       w->file, line);
	}
}

static int walk_file(struct walk *w, const char *yaml, size_t len, struct err *e)
{
	int status;

	if (!yaml_parser_initialize(&w->parser))
		return err_oom(e);
	yaml_parser_set_input_string(&w->parser, (const unsigned char *)yaml, len);
	status = find_mapping(w, e);
	if (status == 1) {
		do
			status = walk_pair(w, e);
		while (status == 1);
		if (status == 0)
			status = walk_end(w, e);
	}
	yaml_parser_delete(&w->parser);
	return status;
}

/* libcyaml's schema: each setting an optional string, in an array in the table's order. */
static void make_schema(cyaml_schema_field_t *fields)
{
	for (size_t i = 0; i < config_rows_count; i++)
		fields[i] = (cyaml_schema_field_t){
			.key = config_rows[i].name,
			.data_offset = (uint32_t)(i * sizeof(char *)),
			.value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
						     char *, 0, 65536)},
		};
	fields[config_rows_count] = (cyaml_schema_field_t)CYAML_FIELD_END;
}

static int give_values(const struct walk *w, char **values, config_found_fn *fn, void *arg,
		       struct err *e)
{
	for (size_t i = 0; i < w->n; i++) {
		size_t r = w->order[i];
		const char *text = values[r] && !w->is_null[r] ? values[r] : "";
		char source[300];

		snprintf(source, sizeof(source), "%.280s:%u", w->file, w->lines[r]);
		if (fn(&config_rows[r], text, source, arg, e) < 0)
			return err_prefix(e, "%s:%u: %s", w->file, w->lines[r],
					  config_rows[r].name);
	}
	return 0;
}

int config_yaml_read(const char *file, const char *yaml, size_t len, config_found_fn *fn, void *arg,
		     struct err *e)
{
	cyaml_schema_field_t fields[CONFIG_ROWS_MAX];
	cyaml_schema_value_t top = {.type = CYAML_MAPPING,
				    .flags = CYAML_FLAG_POINTER,
				    .data_size = (uint32_t)(config_rows_count * sizeof(char *)),
				    .mapping.fields = fields};
	cyaml_config_t how = {.mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS};
	struct walk w = {.file = file};
	cyaml_data_t *data = NULL;
	char **values;
	cyaml_err_t error;
	int status;

	if (walk_file(&w, yaml, len, e) < 0)
		return -1;
	if (!w.n)
		return 0;
	make_schema(fields);
	error = cyaml_load_data((const uint8_t *)yaml, len, &how, &top, &data, NULL);
	if (error != CYAML_OK)
		return err_set(e, ERR_INPUT, "%s: %s", file, cyaml_strerror(error));
	values = (char **)data;
	status = give_values(&w, values, fn, arg, e);
	for (size_t i = 0; i < config_rows_count; i++)
		if (values[i])
			explicit_bzero(values[i], strlen(values[i]));
	cyaml_free(&how, &top, data, 0);
	return status;
}

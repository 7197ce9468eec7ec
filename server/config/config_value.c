/* Converts the text of a setting to its value. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/buf.h"
#include "server/base/number.h"
#include "server/config/config_table.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* KB, K and KiB are all 1,024. */
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit byte_units[] = {{"", 1},          {"B", 1},       {"KB", 1 << 10},
					 {"KiB", 1 << 10}, {"K", 1 << 10}, {"MB", 1 << 20},
					 {"MiB", 1 << 20}, {"M", 1 << 20}, {"GB", 1 << 30},
					 {"GiB", 1 << 30}, {"G", 1 << 30}, {NULL, 0}};
static const struct unit second_units[] = {{"", 1},     {"s", 1},     {"m", 60}, {"min", 60},
					   {"h", 3600}, {"d", 86400}, {NULL, 0}};

static const struct unit *units_of(enum config_type type)
{
	return type == CONFIG_BYTES ? byte_units : type == CONFIG_SECONDS ? second_units : no_units;
}

/* "48h" and "48 h"; no sign, no fraction. */
static int parse_quantity(const char *text, const struct unit *units, int64_t *value)
{
	int64_t n;
	size_t digits = number_read(text, strlen(text), INT64_MAX, &n);
	const char *end = text + digits;

	if (digits == 0)
		return -1;
	end += strspn(end, " ");
	for (; units->name; units++)
		if (strcasecmp(units->name, end) == 0 && n <= INT64_MAX / units->factor) {
			*value = n * units->factor;
			return 0;
		}
	return -1;
}

static int parse_bool(const char *text, bool *value)
{
	static const struct {
		const char *name;
		bool value;
	} names[] = {{"true", true},   {"yes", true}, {"1", true},
		     {"false", false}, {"no", false}, {"0", false}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(names[i].name, text) == 0) {
			*value = names[i].value;
			return 0;
		}
	return -1;
}

static const struct config_choice *choice_find(const struct config_choice *choices,
					       const char *text, size_t len)
{
	for (; choices->name; choices++)
		if (strlen(choices->name) == len && strncasecmp(choices->name, text, len) == 0)
			return choices;
	return NULL;
}

/* Names between commas or blanks. At least one is needed. */
static int parse_set(const struct config_choice *choices, const char *text, int64_t *value)
{
	int64_t bits = 0;

	while (*text) {
		size_t len = strcspn(text, ", ");
		const struct config_choice *c = len ? choice_find(choices, text, len) : NULL;

		if (len && !c)
			return -1;
		if (c)
			bits |= c->value;
		text += len ? len : 1;
	}
	if (!bits)
		return -1;
	*value = bits;
	return 0;
}

static void say_choices(const struct config_row *row, struct buf *out)
{
	buf_str(out, row->type == CONFIG_SET ? "some of " : "one of ");
	for (const struct config_choice *c = row->choices; c->name; c++)
		buf_fmt(out, "%s%s", c == row->choices ? "" : ", ", c->name);
}

static void say_expected(const struct config_row *row, struct buf *out)
{
	switch (row->type) {
	case CONFIG_CHOICE:
	case CONFIG_SET:
		say_choices(row, out);
		return;
	case CONFIG_BOOL:
		buf_str(out, "true or false");
		return;
	case CONFIG_BYTES:
		buf_fmt(out, "a size like 500KB or 10MB, from %" PRId64 " to %" PRId64 " bytes,",
			row->min, row->max);
		return;
	case CONFIG_SECONDS:
		buf_fmt(out, "a time like 30s, 10m, 48h or 3d, from %" PRId64 " to %" PRId64 " s,",
			row->min, row->max);
		return;
	case CONFIG_NUMBER:
		buf_fmt(out, "a whole number from %" PRId64 " to %" PRId64, row->min, row->max);
		return;
	case CONFIG_TEXT:
	default:
		buf_str(out, "a text without control characters");
	}
}

static int refuse(const struct config_row *row, const char *text, const char *expected,
		  struct err *e)
{
	struct buf said = {0};

	if (expected)
		buf_str(&said, expected);
	else
		say_expected(row, &said);
	/* A secret is never printed, and a long value is not repeated. */
	if (row->secrecy == CONFIG_OPEN && strlen(text) <= 60)
		err_set(e, ERR_INPUT, "\"%s\" is refused: %s is expected", text, buf_text(&said));
	else
		err_set(e, ERR_INPUT, "the value is refused: %s is expected", buf_text(&said));
	buf_deinit(&said);
	return -1;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static int set_text(const struct config_row *row, const char *text, char *field, struct err *e)
{
	const char *expected = row->check && *text ? row->check(text) : NULL;

	if (expected)
		return refuse(row, text, expected, e);
	memcpy(field, &text, sizeof(text));
	return 0;
}

static int parse_integer(const struct config_row *row, const char *text, int64_t *value)
{
	const struct config_choice *c;

	if (row->type == CONFIG_SET)
		return parse_set(row->choices, text, value);
	if (row->type == CONFIG_CHOICE) {
		c = choice_find(row->choices, text, strlen(text));
		if (c)
			*value = c->value;
		return c ? 0 : -1;
	}
	if (parse_quantity(text, units_of(row->type), value) < 0)
		return -1;
	return *value >= row->min && *value <= row->max ? 0 : -1;
}

int config_value_set(const struct config_row *row, const char *text, struct config *c,
		     struct err *e)
{
	char *field = (char *)c + row->offset;
	int64_t number;
	bool flag;

	if (has_control(text)) /* not printed: it may be a terminal escape sequence */
		return err_set(e, ERR_INPUT, "the value contains control characters");
	if (row->type == CONFIG_TEXT)
		return set_text(row, text, field, e);
	if (row->type == CONFIG_BOOL) {
		if (parse_bool(text, &flag) < 0)
			return refuse(row, text, NULL, e);
		memcpy(field, &flag, sizeof(flag));
		return 0;
	}
	if (parse_integer(row, text, &number) < 0)
		return refuse(row, text, NULL, e);
	memcpy(field, &number, sizeof(number));
	return 0;
}

int config_read_number(const char *name, const char *text, int64_t *value, struct err *e)
{
	const struct config_row *row = config_row_find(name);
	/* Only the field of this setting is written, and read. */
	struct config scratch;

	if (config_value_set(row, text, &scratch, e) < 0)
		return -1;
	memcpy(value, (const char *)&scratch + row->offset, sizeof(*value));
	return 0;
}

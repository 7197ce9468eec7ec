/* Content types with parameters: checked, and written again in one form. */
#include "server/mail/content_type.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/mail/header.h"

#define TYPE_MAX 127 /* RFC 6838 4.2, each half */
#define PARAMETERS_MAX 20

struct parameter {
	const char *name, *value; /* into the text; a quoted value with its quotes */
	size_t name_len, value_len;
};

/* RFC 2045 5.1 */
static size_t token_len(const char *p)
{
	size_t len = 0;

	while (p[len] > ' ' && p[len] <= '~' && !strchr("()<>@,;:\\\"/[]?=", p[len]))
		len++;
	return len;
}

/* RFC 5322 3.2.4, without folds. 0: it does not end, or has a character that is not allowed. */
static size_t quoted_len(const char *p)
{
	size_t len = 1;

	for (; p[len] != '"'; len++) {
		if (p[len] == '\\')
			len++;
		if (p[len] < ' ' || p[len] > '~')
			return 0;
	}
	return len + 1;
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* The type and subtype at the front; 0: there is none. */
static size_t type_len(const char *text)
{
	size_t type = token_len(text), subtype;

	if (!type || type > TYPE_MAX || text[type] != '/')
		return 0;
	subtype = token_len(text + type + 1);
	return subtype && subtype <= TYPE_MAX ? type + 1 + subtype : 0;
}

/* Reads the parameter after the ";" at *p. 1 = read, 0 = the text has ended, -1 = malformed. */
static int next_parameter(const char **p, struct parameter *out)
{
	const char *at = skip_blanks(*p);

	while (*at == ';')
		at = skip_blanks(at + 1);
	if (!*at)
		return 0;
	if (at == *p || !memchr(*p, ';', (size_t)(at - *p)))
		return -1;
	out->name = at;
	out->name_len = token_len(at);
	at = skip_blanks(at + out->name_len);
	if (!out->name_len || *at != '=')
		return -1;
	out->value = skip_blanks(at + 1);
	out->value_len = *out->value == '"' ? quoted_len(out->value) : token_len(out->value);
	*p = out->value + out->value_len;
	return out->value_len ? 1 : -1;
}

static bool is_named(const struct parameter *a, const char *name, size_t len)
{
	return a->name_len == len && strncasecmp(a->name, name, len) == 0;
}

static int check_parameters(const char *p, struct err *e)
{
	struct parameter seen[PARAMETERS_MAX];
	int status;

	for (size_t n = 0;; n++) {
		struct parameter next;

		status = next_parameter(&p, &next);
		if (status == 0)
			return 0;
		if (status < 0)
			return err_set(e, ERR_INPUT,
				       "a parameter of a content type has the form name=value or "
				       "name=\"value\", in ASCII, after a semicolon");
		if (n == PARAMETERS_MAX)
			return err_set(e, ERR_INPUT, "a content type has at most %d parameters",
				       PARAMETERS_MAX);
		for (size_t i = 0; i < n; i++)
			if (is_named(&seen[i], next.name, next.name_len))
				return err_set(e, ERR_INPUT,
					       "the content type has the parameter %.*s twice",
					       (int)next.name_len, next.name);
		seen[n] = next;
	}
}

int content_type_check(const char *text, struct err *e)
{
	size_t len = type_len(text);

	if (strnlen(text, CONTENT_TYPE_MAX + 1) > CONTENT_TYPE_MAX)
		return err_set(e, ERR_INPUT, "the content type is longer than %d octets",
			       CONTENT_TYPE_MAX);
	if (!len)
		return err_set(e, ERR_INPUT,
			       "a content type has the form type/subtype, and may have parameters: "
			       "text/csv; charset=utf-8");
	if (content_type_is(text, "multipart") || content_type_is(text, "message"))
		return err_set(e, ERR_INPUT,
			       "content types multipart/* and message/* are not accepted");
	return check_parameters(text + len, e);
}

bool content_type_is(const char *text, const char *main_type)
{
	size_t len = strlen(main_type);

	return strncasecmp(text, main_type, len) == 0 && text[len] == '/';
}

bool content_type_has(const char *text, const char *parameter)
{
	const char *p = text + type_len(text);
	struct parameter found;

	while (next_parameter(&p, &found) > 0)
		if (is_named(&found, parameter, strlen(parameter)))
			return true;
	return false;
}

void content_type_write(struct header *h, const char *text)
{
	const char *p = text + type_len(text);
	char token[CONTENT_TYPE_MAX + 2];
	struct parameter next;

	header_token(h, text, (size_t)(p - text));
	while (next_parameter(&p, &next) > 0) {
		int len = snprintf(token, sizeof(token), "%.*s=%.*s", (int)next.name_len, next.name,
				   (int)next.value_len, next.value);

		header_glue(h, ";");
		header_token(h, token, (size_t)len);
	}
}

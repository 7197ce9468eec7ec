/* Writes MIME parameters, above all file names, of any script and length. */
#include "server/mail/param.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/mail/header.h"
#include "server/base/percent.h"
#include "server/base/utf8.h"

#define PLAIN_MAX 55 /* `filename="..."` fits one line then */
#define EXTENSION_MAX 10
#define CHARSET "utf-8''"

/* attribute-char of RFC 2231 section 7, without those that some readers decode. */
static bool is_attribute_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("-._~", c));
}

static bool is_quotable(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

static bool is_plain(const char *value)
{
	size_t len = strlen(value);

	if (!len || len > PLAIN_MAX || value[0] == ' ' || value[len - 1] == ' ' ||
	    strstr(value, "  ") || strstr(value, "=?"))
		return false;
	for (; *value; value++) {
		if (!is_quotable(*value))
			return false;
	}
	return true;
}

/* name="value", on the line that has room for it. */
static void write_quoted(struct header *h, const char *name, const char *value, size_t len)
{
	char token[HEADER_LINE_MAX + 1];
	int n = snprintf(token, sizeof(token), "%s=\"%.*s\"", name, (int)len, value);

	header_glue(h, ";");
	header_token(h, token, (size_t)n < sizeof(token) ? (size_t)n : sizeof(token) - 1);
}

/* Percent-encodes whole code points of *value while they fit into room characters. */
static size_t encode(char *out, size_t room, const char **value)
{
	size_t used = 0, left = strlen(*value);

	while (left) {
		uint32_t cp;
		size_t n = utf8_next(*value, left, &cp);
		bool is_literal = is_attribute_char(**value);

		n = n ? n : 1;
		if (used + (is_literal ? 1 : 3 * n) > room)
			break;
		if (is_literal)
			out[used++] = **value;
		else
			for (size_t i = 0; i < n; i++, used += 3)
				percent_encode((unsigned char)(*value)[i], out + used);
		*value += n;
		left -= n;
	}
	return used;
}

/* name*=utf-8''..., or name*0*=utf-8''...; name*1*=...; and so on. */
static void write_extended(struct header *h, const char *name, const char *value)
{
	char token[HEADER_LINE_MAX + 4];
	char encoded[HEADER_LINE_MAX + 4];
	size_t room = HEADER_LINE_MAX - strlen(name) - sizeof("*0000*=utf-8'';");
	const char *rest = value;
	size_t len = encode(encoded, room, &rest);
	int n, section = 0;

	if (!*rest) {
		n = snprintf(token, sizeof(token), "%s*=" CHARSET "%.*s", name, (int)len, encoded);
		header_glue(h, ";");
		header_token(h, token, (size_t)n);
		return;
	}
	while (len) {
		n = snprintf(token, sizeof(token), "%s*%d*=%s%.*s", name, section,
			     section ? "" : CHARSET, (int)len, encoded);
		header_glue(h, ";");
		header_token(h, token, (size_t)n);
		len = encode(encoded, room, &rest);
		section++;
	}
}

/* The value with "_" for all that is not plain ASCII; a long one is cut before its extension. */
static void write_likeness(struct header *h, const char *name, const char *value)
{
	char ascii[PARAM_VALUE_MAX] = {0};
	size_t n = 0, extension = 0;

	for (size_t left = strlen(value), octets; left && n < sizeof(ascii); left -= octets) {
		uint32_t cp;

		octets = utf8_next(value, left, &cp);
		octets = octets ? octets : 1;
		ascii[n++] = is_quotable(*value) && *value != ' ' ? *value : '_';
		value += octets;
	}
	if (n > PLAIN_MAX) {
		while (extension < EXTENSION_MAX && ascii[n - extension - 1] != '.')
			extension++;
		extension = extension < EXTENSION_MAX ? extension + 1 : 0;
		memmove(ascii + PLAIN_MAX - extension, ascii + n - extension, extension);
		n = PLAIN_MAX;
	}
	write_quoted(h, name, ascii, n);
}

void param_write(struct header *h, const char *name, const char *value)
{
	if (is_plain(value)) {
		write_quoted(h, name, value, strlen(value));
		return;
	}
	write_extended(h, name, value);
	write_likeness(h, name, value);
}

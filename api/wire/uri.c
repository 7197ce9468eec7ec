/* Splits and decodes request targets. */
#include "api/wire/uri.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "server/base/percent.h"
#include "server/base/utf8.h"

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* pchar of RFC 3986, less the percent sign; a query may hold any other visible ASCII too. */
static bool is_plain(char c, bool in_query)
{
	if (in_query)
		return c > 0x20 && c < 0x7f && c != '%' && c != '#';
	return is_alnum(c) || (c && strchr("-._~!$&'()*+,;=:@", c));
}

static bool is_text(const char *text, size_t len)
{
	uint32_t cp;
	size_t n;

	for (; len; text += n, len -= n) {
		n = utf8_next(text, len, &cp);
		if (n == 0 || cp < 0x20 || cp == 0x7f)
			return false;
	}
	return true;
}

/* Decodes len octets to out, and ends them with a NUL. Returns the length, or -1. */
static long decode_part(const char *in, size_t len, bool in_query, char *out)
{
	long n;

	for (size_t i = 0; i < len; i++) {
		if (in[i] != '%' && !is_plain(in[i], in_query))
			return -1;
		out[i] = in[i] == '+' && in_query ? ' ' : in[i];
	}
	n = percent_decode(out, len, out, len + 1);
	return n >= 0 && is_text(out, (size_t)n) ? n : -1;
}

/* "//", "." and ".." are not resolved, because a proxy may resolve them differently. A path with
 * one of them is not found. */
static bool is_name(const char *segment)
{
	return *segment && strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0 &&
	       !strchr(segment, '\\');
}

static enum uri_verdict split_path(struct uri *u, char **scratch, const char **why)
{
	enum uri_verdict verdict = URI_OK;

	for (const char *p = u->path; *p == '/';) {
		size_t len = strcspn(++p, "/");
		long n = decode_part(p, len, false, *scratch);

		if (!*p && u->n_segments > 0)
			break;
		if (n < 0) {
			*why = "The path has a character that is not allowed there.";
			return URI_BAD;
		}
		if (u->n_segments == URI_SEGMENTS || !is_name(*scratch))
			verdict = URI_NOT_FOUND;
		else
			u->segments[u->n_segments++] = *scratch;
		*scratch += n + 1;
		p += len;
	}
	return verdict;
}

static enum uri_verdict add_pair(struct uri *u, const char *pair, size_t len, char **scratch,
				 const char **why)
{
	const char *equals = memchr(pair, '=', len);
	size_t name_len = equals ? (size_t)(equals - pair) : len;
	struct uri_pair *to = &u->pairs[u->n_pairs];
	long n = decode_part(pair, name_len, true, *scratch);

	*why = "The query has a character that is not allowed there.";
	if (n < 0)
		return URI_BAD;
	to->name = *scratch;
	to->value = "";
	*scratch += n + 1;
	if (equals) {
		n = decode_part(equals + 1, len - name_len - 1, true, *scratch);
		if (n < 0)
			return URI_BAD;
		to->value = *scratch;
		*scratch += n + 1;
	}
	*why = "A query parameter is given twice.";
	if (uri_query(u, to->name))
		return URI_BAD;
	u->n_pairs++;
	return URI_OK;
}

static enum uri_verdict split_query(struct uri *u, const char *query, char *scratch,
				    const char **why)
{
	while (*query) {
		size_t len = strcspn(query, "&");

		if (len && u->n_pairs == URI_PAIRS) {
			*why = "Too many query parameters.";
			return URI_BAD;
		}
		if (len && add_pair(u, query, len, &scratch, why) != URI_OK)
			return URI_BAD;
		query += len;
		query += *query == '&';
	}
	return URI_OK;
}

/* The part after the authority of an absolute form, which a server must accept (RFC 9112 3.2.2). */
static const char *skip_authority(const char *target)
{
	if (strncasecmp(target, "http://", 7) == 0)
		target += 7;
	else if (strncasecmp(target, "https://", 8) == 0)
		target += 8;
	else
		return target;
	return target + strcspn(target, "/?");
}

enum uri_verdict uri_parse(struct uri *u, const char *target, char *scratch, const char **why)
{
	const char *path = skip_authority(target);
	char *copy = scratch;
	size_t path_len = strcspn(path, "?");
	enum uri_verdict verdict;

	*u = (struct uri){.path = scratch};
	memcpy(scratch, path, path_len);
	scratch[path_len] = 0;
	scratch += path_len + 1;
	*why = "The request target must be a path.";
	if (strlen(target) > URI_MAX)
		return URI_TOO_LONG;
	if (*u->path != '/')
		return URI_BAD;
	verdict = split_path(u, &scratch, why);
	if (path_len > 1 && copy[path_len - 1] == '/')
		copy[path_len - 1] = 0;
	if (verdict == URI_OK && path[path_len] == '?')
		verdict = split_query(u, path + path_len + 1, scratch, why);
	return verdict;
}

const char *uri_query(const struct uri *u, const char *name)
{
	for (size_t i = 0; i < u->n_pairs; i++)
		if (strcmp(u->pairs[i].name, name) == 0)
			return u->pairs[i].value;
	return NULL;
}

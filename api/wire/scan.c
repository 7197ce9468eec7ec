/* Finds the errors of a request head that libmicrohttpd would refuse by itself. */
#include "api/wire/scan.h"

#include <string.h>
#include <strings.h>

#include "api/wire/uri.h"
#include "server/base/number.h"

#define LENGTH_MAX INT64_C(999999999999999999)
#define SCAN_SPARE_BYTES 4096 /* other memory that libmicrohttpd needs */

#define TEXT(number) #number
#define TEXT_OF(number) TEXT(number)

struct span {
	const char *text;
	size_t len;
};

static enum scan_verdict refuse_head(struct scan *out, enum problem problem, const char *detail)
{
	out->problem = problem;
	out->detail = detail;
	return SCAN_BAD;
}

/* The next line without its end. False: it has no end yet. As in libmicrohttpd, a bare LF ends a
 * line here; head.c refuses it later. */
static bool take_line(struct span *rest, struct span *line)
{
	const char *end = memchr(rest->text, '\n', rest->len);

	if (!end)
		return false;
	line->text = rest->text;
	line->len = (size_t)(end - rest->text);
	rest->text = end + 1;
	rest->len -= line->len + 1;
	if (line->len && line->text[line->len - 1] == '\r')
		line->len--;
	return true;
}

static bool is_named(const struct span *line, const char *name)
{
	size_t len = strlen(name);

	return line->len > len && line->text[len] == ':' && strncasecmp(line->text, name, len) == 0;
}

static struct span value_of(const struct span *line)
{
	const char *colon = memchr(line->text, ':', line->len);
	struct span value = {colon + 1, line->len - (size_t)(colon + 1 - line->text)};

	while (value.len && (*value.text == ' ' || *value.text == '\t')) {
		value.text++;
		value.len--;
	}
	while (value.len && (value.text[value.len - 1] == ' ' || value.text[value.len - 1] == '\t'))
		value.len--;
	return value;
}

static bool read_length(struct span value, uint64_t *len)
{
	int64_t n;

	if (number_parse(value.text, value.len, 0, LENGTH_MAX, &n) < 0)
		return false;
	*len = (uint64_t)n;
	return true;
}

static enum scan_verdict check_request_line(const struct span *line, struct scan *out)
{
	const char *version = NULL;
	size_t len;

	for (size_t i = 0; i < line->len; i++)
		if (line->text[i] == ' ')
			version = line->text + i + 1;
	len = version ? (size_t)(line->text + line->len - version) : 0;
	if (len < 5 || memcmp(version, "HTTP/", 5) != 0)
		return refuse_head(out, PROBLEM_BAD_REQUEST, "The request line is malformed.");
	if (len != 8 ||
	    (memcmp(version, "HTTP/1.1", 8) != 0 && memcmp(version, "HTTP/1.0", 8) != 0))
		return refuse_head(out, PROBLEM_VERSION, "Send HTTP/1.1.");
	return SCAN_GOOD;
}

/* used: octets of libmicrohttpd's memory. */
static enum scan_verdict check_field(const struct span *line, size_t *used, struct scan *out)
{
	*used += SCAN_ENTRY_BYTES;
	if (!memchr(line->text, ':', line->len) && *line->text != ' ' && *line->text != '\t')
		return refuse_head(out, PROBLEM_BAD_REQUEST, "A header is malformed.");
	if (is_named(line, "Content-Length") && !read_length(value_of(line), &out->body_len))
		return refuse_head(out, PROBLEM_BAD_REQUEST, "Content-Length is not a number.");
	if (is_named(line, "Transfer-Encoding"))
		out->is_chunked = true;
	if (!is_named(line, "Cookie"))
		return SCAN_GOOD;
	*used += line->len + SCAN_ENTRY_BYTES;
	for (size_t i = 0; i < line->len; i++)
		if (line->text[i] == ';' || line->text[i] == ',')
			*used += SCAN_ENTRY_BYTES;
	return SCAN_GOOD;
}

static enum scan_verdict wait_for_more(size_t len, bool has_request_line, struct scan *out)
{
	if (len <= SCAN_HEAD_MAX)
		return SCAN_MORE;
	if (!has_request_line)
		return refuse_head(out, PROBLEM_URI_TOO_LONG,
				   "At most " TEXT_OF(URI_MAX) " octets are allowed.");
	return refuse_head(out, PROBLEM_HEAD_TOO_LARGE,
			   "At most " TEXT_OF(SCAN_HEAD_MAX) " octets are allowed.");
}

enum scan_verdict scan_head(const char *bytes, size_t len, struct scan *out)
{
	struct span rest = {bytes, len}, line;
	size_t used = 0;

	*out = (struct scan){.len = 0};
	do {
		if (!take_line(&rest, &line))
			return wait_for_more(len, false, out);
	} while (line.len == 0);
	if (check_request_line(&line, out) == SCAN_BAD)
		return SCAN_BAD;
	for (;;) {
		if (!take_line(&rest, &line))
			return wait_for_more(len, true, out);
		if (line.len == 0)
			break;
		if (check_field(&line, &used, out) == SCAN_BAD)
			return SCAN_BAD;
	}
	out->len = (size_t)(rest.text - bytes);
	if (used + out->len > SCAN_POOL_BYTES - SCAN_SPARE_BYTES)
		return refuse_head(out, PROBLEM_HEAD_TOO_LARGE,
				   "There are too many headers or cookies.");
	return SCAN_GOOD;
}

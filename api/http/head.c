/* Checks the request head: refuses heads that a proxy could read differently. */
#include "api/http/head.h"

#include <string.h>
#include <strings.h>

#include "api/http/response.h"
#include "api/wire/scan.h"
#include "server/base/number.h"

/* libmicrohttpd 0.9.75 folds continuation lines into the header's name, accepts bare LF, ignores a
 * second Content-Length, and accepts a space before the colon. The addresses of the parts show all
 * of this: MHD cuts lines in place, so in a well-formed head each part starts directly after the
 * previous one, apart from the colon or CRLF, which became NULs. Later versions have checks of
 * their own. */
#define PARTS_LIE_IN_PLACE (MHD_VERSION < 0x00097700)

#define LENGTH_MAX INT64_C(999999999999999999)

enum { SEEN_LENGTH, SEEN_TRANSFER, SEEN_HOST, SEEN_ENCODING, SEEN_REQUEST_ID, SEEN_OTHER };

/* Headers that must not come twice (RFC 9110 5.3). */
static const struct {
	const char *name;
	size_t len;
	int seen;
} single[] = {
	{"Content-Length", 14, SEEN_LENGTH},
	{"Transfer-Encoding", 17, SEEN_TRANSFER},
	{"Host", 4, SEEN_HOST},
	{"Content-Encoding", 16, SEEN_ENCODING},
	{"X-Request-Id", 12, SEEN_REQUEST_ID},
	{"Authorization", 13, SEEN_OTHER + 0},
	{"Content-Type", 12, SEEN_OTHER + 1},
	{"Idempotency-Key", 15, SEEN_OTHER + 2},
	{"Expect", 6, SEEN_OTHER + 3},
};

struct head {
	const char *at;    /* where the next header must begin */
	const char *error; /* NULL: none yet */
	unsigned seen;     /* bits of single[].seen */
	const char *values[SEEN_OTHER];
};

/* tchar of RFC 9110 5.6.2 */
static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			continue;
		if (!c || !strchr("!#$%&'*+-.^_`|~", c))
			return false;
	}
	return len > 0;
}

static bool is_value(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return false;
	return true;
}

/* True if only the name, the colon and spaces come before the value. */
static bool is_in_place(const char *name, size_t name_len, const char *value)
{
	const char *p = name + name_len + 1;

	while (p < value && (*p == ' ' || *p == '\t'))
		p++;
	return p == value;
}

static void note_single(struct head *h, const char *name, size_t len, const char *value)
{
	for (size_t i = 0; i < sizeof(single) / sizeof(*single); i++) {
		if (len != single[i].len || strncasecmp(name, single[i].name, len) != 0)
			continue;
		if (h->seen & 1u << single[i].seen)
			h->error = "A header that may occur once occurs twice.";
		h->seen |= 1u << single[i].seen;
		if (single[i].seen < SEEN_OTHER)
			h->values[single[i].seen] = value;
		return;
	}
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t len,
				 const char *value, size_t value_len)
{
	struct head *h = arg;

	(void)kind;
	if (!value || !is_token(name, len) || !is_value(value, value_len)) {
		h->error = "A header is malformed.";
	} else if (PARTS_LIE_IN_PLACE && (name != h->at || !is_in_place(name, len, value))) {
		h->error = "A header line is folded or does not end in CRLF.";
	} else {
		h->at = value + value_len + 2;
		note_single(h, name, len, value);
	}
	return h->error ? MHD_NO : MHD_YES;
}

static bool begins_in_place(const struct request *r, const char *url, const char *method,
			    const char *version)
{
	return url == method + strlen(method) + 1 && version == url + r->target_len + 1;
}

/* The empty line ends the head, two octets after the last header. */
static bool ends_in_place(const struct request *r, const struct head *h, const char *method)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info && h->at + 2 == method + info->header_size;
}

static const char *check_lines(struct request *r, struct head *h, const char *url,
			       const char *method, const char *version)
{
	if (PARTS_LIE_IN_PLACE && !begins_in_place(r, url, method, version))
		return "The request line is malformed.";
	h->at = version + strlen(version) + 2;
	MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, on_header, h);
	if (h->error)
		return h->error;
	if (PARTS_LIE_IN_PLACE && !ends_in_place(r, h, method))
		return "A header line does not end in CRLF.";
	return NULL;
}

/* RFC 9112 6.1-6.3. Refuses framing that a proxy could read differently. */
static const char *check_framing(struct request *r, const struct head *h)
{
	const char *length = h->values[SEEN_LENGTH], *transfer = h->values[SEEN_TRANSFER];
	int64_t octets;

	if (length && transfer)
		return "Send Content-Length or Transfer-Encoding, not both.";
	if (transfer && (r->is_http_1_0 || strcasecmp(transfer, "chunked") != 0))
		return "The only supported Transfer-Encoding is chunked, with HTTP/1.1.";
	if (transfer)
		r->content_length = UINT64_MAX;
	if (length && number_parse(length, strlen(length), 0, LENGTH_MAX, &octets) < 0)
		return "Content-Length is not a number.";
	if (length)
		r->content_length = (uint64_t)octets;
	r->has_body = r->content_length > 0;
	return NULL;
}

static const char *check_host(const struct request *r, const struct head *h)
{
	const char *host = h->values[SEEN_HOST];

	if (!host)
		return r->is_http_1_0 ? NULL : "The Host header is missing.";
	return strpbrk(host, " \t,/?#@\\") ? "The Host header is malformed." : NULL;
}

static void take_request_id(struct request *r, const char *id)
{
	static const char alphabet[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = id ? strlen(id) : 0;

	if (len > 0 && len < sizeof(r->id) && strspn(id, alphabet) == len)
		memcpy(r->id, id, len + 1);
}

static bool is_too_large(const struct request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info && info->header_size > SCAN_HEAD_MAX;
}

bool head_check(struct request *r, const char *url, const char *method, const char *version)
{
	struct head h = {.at = NULL};
	const char *error = check_lines(r, &h, url, method, version);

	r->is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
	take_request_id(r, h.values[SEEN_REQUEST_ID]);
	if (!error)
		error = check_framing(r, &h);
	if (!error)
		error = check_host(r, &h);
	if (error) {
		r->must_close = true;
		response_problem(r, PROBLEM_BAD_REQUEST, NULL, "%s", error);
		return false;
	}
	if (is_too_large(r)) {
		response_problem(r, PROBLEM_HEAD_TOO_LARGE, NULL, "At most %d octets are allowed.",
				 SCAN_HEAD_MAX);
		return false;
	}
	r->is_encoded =
		h.values[SEEN_ENCODING] && strcasecmp(h.values[SEEN_ENCODING], "identity") != 0;
	return true;
}

/* Reads the parameter at *at (RFC 9110 5.6.6), and moves *at after it. Only charset is checked. */
static bool is_charset_ok(const char **at)
{
	const char *p = *at;
	size_t len = strcspn(p, ";");

	*at = p + len;
	if (len < 8 || strncasecmp(p, "charset=", 8) != 0)
		return true;
	p += 8;
	len -= 8;
	while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	if (len > 2 && *p == '"' && p[len - 1] == '"') {
		p++;
		len -= 2;
	}
	return (len == 5 && strncasecmp(p, "utf-8", 5) == 0) ||
	       (len == 4 && strncasecmp(p, "utf8", 4) == 0);
}

bool head_is_json(const char *type)
{
	const char *p;

	if (!type || strncasecmp(type, "application/json", 16) != 0)
		return false;
	p = type + 16;
	p += strspn(p, " \t");
	if (*p && *p != ';')
		return false;
	while (*p) {
		p += strspn(p, "; \t");
		if (!is_charset_ok(&p))
			return false;
	}
	return true;
}

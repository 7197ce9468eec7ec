/* The relaxed canonical form, in which changes of white space by mail servers do not matter. */
#include "server/mail/canon.h"

#include <openssl/evp.h>
#include <stdbool.h>

#include "server/base/buf.h"

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

static bool is_crlf(const char *p, const char *end)
{
	return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

/* Octets that are canonical already, but not given to the digest yet. */
struct run {
	EVP_MD_CTX *digest;
	const char *begin;
	bool failed;
};

static void run_flush(struct run *r, const char *end)
{
	if (end > r->begin && !EVP_DigestUpdate(r->digest, r->begin, (size_t)(end - r->begin)))
		r->failed = true;
	r->begin = end;
}

/* White space at p: dropped before a line end, one space elsewhere. */
static const char *fold_space(struct run *r, const char *p, const char *end)
{
	const char *stop = p + 1;

	while (stop < end && is_wsp(*stop))
		stop++;
	if (stop == p + 1 && *p == ' ' && !is_line_end(*stop))
		return stop;
	run_flush(r, p);
	if (!is_line_end(*stop) && !EVP_DigestUpdate(r->digest, " ", 1))
		r->failed = true;
	r->begin = stop;
	return stop;
}

/* [p, end) ends in an octet that is neither white space nor line end, or is empty. */
static int digest_lines(struct run *r, const char *p, const char *end)
{
	while (p < end) {
		if (is_wsp(*p)) {
			p = fold_space(r, p, end);
		} else if (!is_line_end(*p)) {
			p++;
		} else if (is_crlf(p, end)) {
			p += 2;
		} else {
			return -1;
		}
	}
	run_flush(r, end);
	return 0;
}

/* True if this is only white space and CRLFs. */
static bool is_blank(const char *p, const char *end)
{
	while (p < end) {
		if (!is_wsp(*p) && !is_crlf(p, end))
			return false;
		p += is_wsp(*p) ? 1 : 2;
	}
	return true;
}

int canon_body(EVP_MD_CTX *digest, const char *body, size_t len)
{
	struct run r = {.digest = digest, .begin = body};
	size_t kept = len;

	while (kept > 0 && (is_wsp(body[kept - 1]) || is_line_end(body[kept - 1])))
		kept--;
	if (!is_blank(body + kept, body + len) || digest_lines(&r, body, body + kept))
		return -1;
	if (kept > 0 && !EVP_DigestUpdate(digest, "\r\n", 2))
		r.failed = true;
	return r.failed ? -1 : 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Field name in lower case, colon. Returns where the value begins. */
static size_t canon_name(struct buf *out, const char *field, size_t len)
{
	size_t i = 0;

	for (; i < len && field[i] != ':'; i++) {
		if (!is_wsp(field[i]))
			buf_char(out, lower(field[i]));
	}
	buf_char(out, ':');
	return i < len ? i + 1 : len;
}

void canon_field(struct buf *out, const char *field, size_t len)
{
	size_t i = canon_name(out, field, len), stop;
	bool is_first = true;

	for (; i < len; i = stop) {
		while (i < len && (is_wsp(field[i]) || is_line_end(field[i])))
			i++;
		for (stop = i; stop < len && !is_wsp(field[stop]) && !is_line_end(field[stop]);)
			stop++;
		if (stop > i && !is_first)
			buf_char(out, ' ');
		buf_append(out, field + i, stop - i);
		is_first = is_first && stop == i;
	}
}

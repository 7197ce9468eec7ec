/* Signs a complete mail with DKIM. */
#include "server/mail/dkim.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "server/base/base64.h"
#include "server/mail/canon.h"
#include "server/mail/dkim_key.h"

/* h= names each field once more than the mail has it, so that nobody can add one later (RFC 6376
 * section 8.15). */
static const char *const names[] = {
	/* first: a mail must have it */
	"From",
	"To",
	"Cc",
	"Subject",
	"Date",
	"Message-ID",
	"Reply-To",
	"MIME-Version",
	"Content-Type",
	"Content-Transfer-Encoding",
	"In-Reply-To",
	"References",
	"List-Unsubscribe",
	"List-Unsubscribe-Post",
	"List-Id",
	"Feedback-ID",
	"Sender",
	"Content-Disposition",
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))
#define INSTANCES_MAX 4
#define COLUMN_MAX 76

/* The fields to sign, in the order of the mail. */
struct instances {
	size_t n;
	struct {
		const char *at;
		size_t len;
	} field[INSTANCES_MAX];
};

struct fields {
	struct instances of[N_NAMES];
	size_t header_len; /* with the empty line */
};

static struct instances *find_name(struct fields *f, const char *name, size_t len)
{
	for (size_t i = 0; i < N_NAMES; i++) {
		if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0)
			return &f->of[i];
	}
	return NULL;
}

/* The length of the field name (RFC 5322 2.2); 0 if there is none. */
static size_t name_len(const char *field, size_t len)
{
	size_t n = 0, colon;

	while (n < len && field[n] > ' ' && field[n] <= '~' && field[n] != ':')
		n++;
	for (colon = n; colon < len && (field[colon] == ' ' || field[colon] == '\t');)
		colon++;
	return colon < len && field[colon] == ':' ? n : 0;
}

static int add_field(struct fields *f, const char *field, size_t len, struct err *e)
{
	size_t n = name_len(field, len);
	struct instances *found = find_name(f, field, n);

	if (!n)
		return err_set(e, ERR_INPUT, "a header line without a field name");
	if (!found)
		return 0;
	if (found->n == INSTANCES_MAX)
		return err_set(e, ERR_INPUT, "more than %d fields of one name", INSTANCES_MAX);
	found->field[found->n].at = field;
	found->field[found->n].len = len;
	found->n++;
	return 0;
}

/* The end of the line at p, after its CRLF; NULL when it does not end in CRLF alone. */
static const char *line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	if (!lf || lf == p || lf[-1] != '\r')
		return NULL;
	return memchr(p, '\r', (size_t)(lf - p)) == lf - 1 ? lf + 1 : NULL;
}

/* Field by field, up to the empty line. */
static int split_header(struct fields *f, const char *mail, size_t len, struct err *e)
{
	const char *p = mail, *end = mail + len;

	while (p < end && *p != '\r') {
		const char *field = p;

		do {
			p = line_end(p, end);
		} while (p && p < end && (*p == ' ' || *p == '\t'));
		if (!p)
			return err_set(e, ERR_INPUT, "a header line does not end in CRLF");
		if (add_field(f, field, (size_t)(p - field), e))
			return -1;
	}
	if (end - p < 2 || p[1] != '\n')
		return err_set(e, ERR_INPUT, "the empty line after the header is missing");
	if (!f->of[0].n)
		return err_set(e, ERR_INPUT, "a mail without From cannot be signed");
	f->header_len = (size_t)(p + 2 - mail);
	return 0;
}

static int hash_body(const struct dkim_key *key, const char *body, size_t len,
		     unsigned char hash[DKIM_HASH_LEN], struct err *e)
{
	EVP_MD_CTX *digest = key->work->digest;

	if (!EVP_DigestInit_ex2(digest, key->sha256, NULL))
		return err_set(e, ERR_INTERNAL, "SHA-256 failed");
	if (canon_body(digest, body, len))
		return err_set(e, ERR_INPUT, "the mail has a bare CR or LF");
	if (!EVP_DigestFinal_ex(digest, hash, NULL))
		return err_set(e, ERR_INTERNAL, "SHA-256 failed");
	return 0;
}

/* Writes ":" and a name, folded if needed; returns the column after it. */
static size_t write_name(const char *name, size_t col, struct buf *out)
{
	size_t len = strlen(name);

	buf_char(out, ':');
	if (col + 1 + len >= COLUMN_MAX) {
		buf_str(out, "\r\n  ");
		col = 1;
	}
	buf_append(out, name, len);
	return col + 1 + len;
}

/* "h=From:From:To:..." */
static void write_names(const struct fields *f, struct buf *out)
{
	size_t col = 3 + strlen(names[0]);

	buf_str(out, " h=");
	buf_str(out, names[0]);
	for (size_t i = 0; i < N_NAMES; i++) {
		for (size_t k = i ? 0 : 1; k <= f->of[i].n; k++)
			col = write_name(names[i], col, out);
	}
	buf_str(out, ";\r\n");
}

/* The field up to "b=", without the signature. */
static void write_tags(const struct dkim_key *key, const struct fields *f, int64_t t_s,
		       const unsigned char body_hash[DKIM_HASH_LEN], struct buf *out)
{
	char hash[BASE64_LEN(DKIM_HASH_LEN)];
	size_t len = base64_encode(hash, body_hash, DKIM_HASH_LEN);

	buf_fmt(out,
		"DKIM-Signature: v=1; a=%s-sha256; c=relaxed/relaxed;\r\n"
		" d=%s;\r\n s=%s; t=%" PRId64 ";\r\n",
		key->is_rsa ? "rsa" : "ed25519", key->domain, key->selector, t_s);
	write_names(f, out);
	buf_str(out, " bh=");
	buf_append(out, hash, len);
	buf_str(out, ";\r\n b=");
}

/* Of several fields with one name the last is hashed first (RFC 6376 5.4.2). */
static int hash_header(const struct dkim_key *key, const struct fields *f, const struct buf *own,
		       unsigned char hash[DKIM_HASH_LEN], struct err *e)
{
	struct buf *canonical = &key->work->canonical;

	buf_reset(canonical);
	for (size_t i = 0; i < N_NAMES; i++) {
		for (size_t k = f->of[i].n; k > 0; k--) {
			canon_field(canonical, f->of[i].field[k - 1].at, f->of[i].field[k - 1].len);
			buf_append(canonical, "\r\n", 2);
		}
	}
	canon_field(canonical, own->data, own->len);
	if (canonical->failed)
		return err_oom(e);
	if (!EVP_Digest(canonical->data, canonical->len, hash, NULL, key->sha256, NULL))
		return err_set(e, ERR_INTERNAL, "SHA-256 failed");
	return 0;
}

/* No fold directly after "b=": some verifiers fail on it. */
static void write_signature(const unsigned char *bytes, size_t len, struct buf *out)
{
	char text[BASE64_LEN(DKIM_SIGNATURE_MAX)];
	size_t left = base64_encode(text, bytes, len);

	for (const char *p = text; left > 0;) {
		size_t n = left < COLUMN_MAX - 4 ? left : COLUMN_MAX - 4;

		buf_append(out, p, n);
		p += n;
		left -= n;
		buf_str(out, left ? "\r\n  " : "\r\n");
	}
}

/* Appends the field of one key. */
static int sign_with(const struct dkim_key *key, const struct fields *f, int64_t t_s,
		     const unsigned char body_hash[DKIM_HASH_LEN], struct buf *out, struct err *e)
{
	struct buf *field = &key->work->field;
	unsigned char hash[DKIM_HASH_LEN], signature[DKIM_SIGNATURE_MAX];
	size_t signature_len = sizeof(signature);

	buf_reset(field);
	write_tags(key, f, t_s, body_hash, field);
	if (field->failed)
		return err_oom(e);
	if (hash_header(key, f, field, hash, e) ||
	    dkim_key_sign(key, hash, signature, &signature_len, e))
		return -1;
	write_signature(signature, signature_len, field);
	buf_append(out, field->data, field->len);
	return field->failed || out->failed ? err_oom(e) : 0;
}

int dkim_sign(const struct dkim_keys *keys, const char *mail, size_t len, int64_t t_s,
	      struct buf *out, struct err *e)
{
	struct fields f = {0};
	unsigned char body_hash[DKIM_HASH_LEN];

	if (split_header(&f, mail, len, e) ||
	    hash_body(keys->key[0], mail + f.header_len, len - f.header_len, body_hash, e))
		return -1;
	for (size_t i = 0; i < keys->n; i++) {
		if (sign_with(keys->key[i], &f, t_s, body_hash, out, e))
			return -1;
	}
	return 0;
}

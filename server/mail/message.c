/* Writes a mail: header fields, then the tree of MIME parts. */
#include "server/mail/message.h"

#include <string.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/mail/content_type.h"
#include "server/mail/encode.h"
#include "server/mail/header.h"
#include "server/mail/message_check.h"
#include "server/mail/param.h"

/*   mixed                       if there are attachments
 *     related                   if there are inline parts for the HTML
 *       alternative             if there are several forms of the text
 *         text/plain, text/html, alternative parts
 *       inline parts
 *     attachments */

#define HEADER_BYTES_MAX 102400 /* Postfix cuts a longer header (header_size_limit) */
#define APPEND_MAX 2048
#define HEAD_USUAL 1024
#define RANDOM_LEN 26 /* 130 bits, made after the content: it cannot contain them */

struct builder {
	const struct message *m;
	struct buf *out;
	char random[RANDOM_LEN + 1];
	size_t n_inline; /* parts inside related */
	size_t n_alternatives;
};

/* A multipart that is being written. "=_" cannot occur in quoted-printable or base64. */
struct multipart {
	struct buf *out;
	char boundary[2 + 1 + RANDOM_LEN + 1];
};

static void field(struct buf *out, const char *name, const char *value)
{
	buf_str(out, name);
	buf_append(out, ": ", 2);
	buf_str(out, value);
	buf_append(out, "\r\n", 2);
}

/* kind makes the boundaries of one mail differ. parameter: more of the Content-Type, or "". */
static void multipart_begin(struct multipart *p, const struct builder *b, char kind,
			    const char *type, const char *parameter)
{
	p->out = b->out;
	memcpy(p->boundary, "=_", 2);
	p->boundary[2] = kind;
	memcpy(p->boundary + 3, b->random, RANDOM_LEN + 1);
	buf_fmt(p->out, "Content-Type: multipart/%s;%s\r\n boundary=\"%s\"\r\n", type, parameter,
		p->boundary);
}

/* The line end before the dashes belongs to the boundary, so that a body keeps its own. */
static void multipart_next(struct multipart *p)
{
	buf_fmt(p->out, "\r\n--%s\r\n", p->boundary);
}

static void multipart_end(struct multipart *p)
{
	buf_fmt(p->out, "\r\n--%s--\r\n", p->boundary);
}

/* After the Content-Type. */
static void write_text_body(struct buf *out, const char *text, size_t len)
{
	enum encode how = encode_choose(text, len);

	field(out, "Content-Transfer-Encoding", encode_name(how));
	buf_append(out, "\r\n", 2);
	encode_text(how, text, len, out);
}

static void write_text(struct buf *out, const char *subtype, const char *text, size_t len)
{
	buf_fmt(out, "Content-Type: text/%s; charset=utf-8\r\n", subtype);
	write_text_body(out, text ? text : "", len);
}

static bool is_related(const struct message *m, const struct message_part *part)
{
	return part->place == PART_INLINE && part->content_id && m->html;
}

static void write_type(struct buf *out, const struct message_part *part)
{
	const char *type = part->content_type ? part->content_type : "application/octet-stream";
	struct header h;

	header_begin(&h, out, "Content-Type");
	content_type_write(&h, type);
	if (part->place == PART_ALTERNATIVE && !content_type_has(type, "charset")) {
		header_glue(&h, ";");
		header_token(&h, "charset=utf-8", strlen("charset=utf-8"));
	}
	header_end(&h);
}

static void write_part(struct buf *out, const struct message_part *part)
{
	const char *disposition = part->place == PART_INLINE ? "inline" : "attachment";
	char name[PARAM_VALUE_MAX + 1];
	struct header h;

	write_type(out, part);
	header_begin(&h, out, "Content-Disposition");
	header_token(&h, disposition, strlen(disposition));
	message_part_name(part, name);
	if (*name)
		param_write(&h, "filename", name);
	header_end(&h);
	if (part->content_id)
		buf_fmt(out, "Content-ID: <%s>\r\n", part->content_id);
	field(out, "Content-Transfer-Encoding", "base64");
	buf_append(out, "\r\n", 2);
	encode_bytes(part->bytes, part->len, out);
}

/* The n-th form of the text, from 0. Mail clients show the last one they know (RFC 2046 5.1.4). */
static void write_form(const struct builder *b, size_t n)
{
	const struct message *m = b->m;
	bool has_plain = m->text || (!m->html && !b->n_alternatives);
	const struct message_part *part = m->parts;

	if (has_plain && n-- == 0) {
		write_text(b->out, "plain", m->text, m->text ? m->text_len : 0);
		return;
	}
	if (m->html && n-- == 0) {
		write_text(b->out, "html", m->html, m->html_len);
		return;
	}
	while (part->place != PART_ALTERNATIVE || n-- > 0)
		part++;
	write_type(b->out, part);
	write_text_body(b->out, (const char *)part->bytes, part->len);
}

static size_t count_forms(const struct builder *b)
{
	return (b->m->text ? 1U : 0U) + (b->m->html ? 1U : 0U) + b->n_alternatives;
}

static void write_alternative(const struct builder *b)
{
	size_t n = count_forms(b);
	struct multipart p;

	if (n <= 1) {
		write_form(b, 0);
		return;
	}
	multipart_begin(&p, b, 'a', "alternative", "");
	for (size_t i = 0; i < n; i++) {
		multipart_next(&p);
		write_form(b, i);
	}
	multipart_end(&p);
}

/* The parts that belong inside related, or those that do not. */
static void write_parts(const struct builder *b, struct multipart *p, bool related)
{
	for (size_t i = 0; i < b->m->n_parts; i++) {
		const struct message_part *part = &b->m->parts[i];

		if (part->place == PART_ALTERNATIVE || is_related(b->m, part) != related)
			continue;
		multipart_next(p);
		write_part(b->out, part);
	}
}

static void write_related(const struct builder *b)
{
	const char *type =
		count_forms(b) > 1 ? " type=\"multipart/alternative\";" : " type=\"text/html\";";
	struct multipart p;

	if (!b->n_inline) {
		write_alternative(b);
		return;
	}
	multipart_begin(&p, b, 'r', "related", type);
	multipart_next(&p);
	write_alternative(b);
	write_parts(b, &p, true);
	multipart_end(&p);
}

static void write_mixed(const struct builder *b)
{
	struct multipart p;

	if (b->n_inline + b->n_alternatives == b->m->n_parts) {
		write_related(b);
		return;
	}
	multipart_begin(&p, b, 'm', "mixed", "");
	if (count_forms(b) > 0) {
		multipart_next(&p);
		write_related(b);
	}
	write_parts(b, &p, false);
	multipart_end(&p);
}

static void write_custom(const struct message_header *header, struct buf *out)
{
	if (message_header_is_structured(header->name))
		header_structured(out, header->name, header->value);
	else
		header_text(out, header->name, header->value);
}

static void write_header(const struct message *m, struct buf *out)
{
	char date[CLOCK_RFC5322_LEN];

	clock_rfc5322(m->date_ms, date);
	field(out, "Date", date);
	header_addresses(out, "From", m->from, 1);
	if (m->n_reply_to)
		header_addresses(out, "Reply-To", m->reply_to, m->n_reply_to);
	if (m->n_to)
		header_addresses(out, "To", m->to, m->n_to);
	if (m->n_cc)
		header_addresses(out, "Cc", m->cc, m->n_cc);
	if (m->subject)
		header_text(out, "Subject", m->subject);
	field(out, "Message-ID", m->message_id);
	for (size_t i = 0; i < m->n_headers; i++)
		write_custom(&m->headers[i], out);
	field(out, "MIME-Version", "1.0");
}

static void count_parts(struct builder *b)
{
	for (size_t i = 0; i < b->m->n_parts; i++) {
		b->n_inline += is_related(b->m, &b->m->parts[i]);
		b->n_alternatives += b->m->parts[i].place == PART_ALTERNATIVE;
	}
}

static size_t room_in(const struct buf *out)
{
	return (out->limit ? out->limit : BUF_LIMIT) - out->len;
}

/* No append is longer than a line, so if one failed with more room left, memory ran out. */
static int set_failure(const struct buf *out, struct err *e)
{
	if (room_in(out) > APPEND_MAX)
		return err_oom(e);
	return err_set(e, ERR_INPUT, "larger than the limit of %zu bytes after encoding",
		       out->len + room_in(out));
}

/* A quick check, before anything is encoded. */
static bool cannot_fit(const struct message *m, size_t room)
{
	size_t need = 0;

	if ((m->text && m->text_len > room) || (m->html && m->html_len > room))
		return true;
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].len > room || need > room)
			return true;
		need += m->parts[i].len / 3 * 4;
	}
	return need > room;
}

/* Reserves what most mails need, in one piece. */
static void make_room(const struct message *m, struct buf *out)
{
	size_t usual = HEAD_USUAL + (m->text ? m->text_len + m->text_len / 16 : 0) +
		       (m->html ? m->html_len + m->html_len / 16 : 0);

	for (size_t i = 0; i < m->n_parts; i++)
		usual += m->parts[i].len / 54 * 74 + HEAD_USUAL;
	if (usual < room_in(out))
		buf_reserve(out, usual);
}

static int check_result(const struct buf *out, size_t header_bytes, struct err *e)
{
	if (out->failed)
		return set_failure(out, e);
	if (header_bytes > HEADER_BYTES_MAX)
		return err_set(e, ERR_INPUT, "the header is larger than 100 KB");
	return 0;
}

int message_build(const struct message *m, struct buf *out, struct err *e)
{
	struct builder b = {.m = m, .out = out};
	size_t start = out->len, header_bytes;

	if (message_check(m, e))
		return -1;
	if (cannot_fit(m, room_in(out)))
		return err_set(e, ERR_INPUT, "larger than the limit of %zu bytes after encoding",
			       out->len + room_in(out));
	id_random(b.random, RANDOM_LEN);
	count_parts(&b);
	make_room(m, out);
	write_header(m, out);
	header_bytes = out->len - start;
	write_mixed(&b);
	if (!out->failed && memcmp(out->data + out->len - 2, "\r\n", 2) != 0)
		buf_append(out, "\r\n", 2);
	if (check_result(out, header_bytes, e) == 0)
		return 0;
	out->len = start;
	out->failed = false;
	if (out->data)
		out->data[start] = 0;
	return -1;
}

/* Puts a mail together: header fields, then the tree of MIME parts. */
#include "server/mail/message.h"

#include <string.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/mail/encode.h"
#include "server/mail/header.h"
#include "server/mail/message_check.h"
#include "server/mail/param.h"

/*   mixed                       if there are attachments
 *     related                   if there are inline parts for the HTML
 *       alternative             if there are both forms
 *         text/plain, text/html
 *       inline parts
 *     attachments */

#define HEADER_BYTES_MAX 102400 /* Postfix, for one, cuts a longer header (header_size_limit) */
#define SUBJECT_WORD_MAX 67
#define APPEND_MAX 2048
#define HEAD_USUAL 1024
#define RANDOM_LEN 26 /* 130 bits, drawn after the content was fixed: it cannot be in there */

struct builder {
	const struct message *m;
	struct buf *out;
	char random[RANDOM_LEN + 1];
	size_t n_inline; /* parts inside related */
};

/* A multipart in the making. "=_" cannot come up in quoted-printable or base64. */
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

/* kind tells the boundaries of one mail apart. parameter: more of the Content-Type, or "". */
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

static void write_text(struct buf *out, const char *subtype, const char *text, size_t len)
{
	enum encode how;

	text = text ? text : "";
	how = encode_choose(text, len);
	buf_fmt(out, "Content-Type: text/%s; charset=utf-8\r\n", subtype);
	field(out, "Content-Transfer-Encoding", encode_name(how));
	buf_append(out, "\r\n", 2);
	encode_text(how, text, len, out);
}

static bool is_related(const struct message *m, const struct message_part *part)
{
	return part->is_inline && part->content_id && m->html;
}

static void write_part(struct buf *out, const struct message_part *part)
{
	const char *name = message_part_name(part);
	const char *disposition = part->is_inline ? "inline" : "attachment";
	struct header h;

	header_plain(out, "Content-Type",
		     part->content_type ? part->content_type : "application/octet-stream");
	header_begin(&h, out, "Content-Disposition");
	header_token(&h, disposition, strlen(disposition));
	if (*name)
		param_write(&h, "filename", name);
	header_end(&h);
	if (part->content_id)
		buf_fmt(out, "Content-ID: <%s>\r\n", part->content_id);
	field(out, "Content-Transfer-Encoding", "base64");
	buf_append(out, "\r\n", 2);
	encode_bytes(part->bytes, part->len, out);
}

static void write_alternative(const struct builder *b)
{
	const struct message *m = b->m;
	struct multipart p;

	if (!m->html) {
		write_text(b->out, "plain", m->text, m->text ? m->text_len : 0);
		return;
	}
	if (!m->text) {
		write_text(b->out, "html", m->html, m->html_len);
		return;
	}
	multipart_begin(&p, b, 'a', "alternative", "");
	multipart_next(&p);
	write_text(b->out, "plain", m->text, m->text_len);
	multipart_next(&p);
	write_text(b->out, "html", m->html, m->html_len);
	multipart_end(&p);
}

/* The parts that belong inside related, or those that do not. */
static void write_parts(const struct builder *b, struct multipart *p, bool related)
{
	for (size_t i = 0; i < b->m->n_parts; i++) {
		const struct message_part *part = &b->m->parts[i];

		if (is_related(b->m, part) != related)
			continue;
		multipart_next(p);
		write_part(b->out, part);
	}
}

static void write_related(const struct builder *b)
{
	const char *type = b->m->text ? " type=\"multipart/alternative\";" : " type=\"text/html\";";
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

	if (b->n_inline == b->m->n_parts) {
		write_related(b);
		return;
	}
	multipart_begin(&p, b, 'm', "mixed", "");
	if (b->m->text || b->m->html) {
		multipart_next(&p);
		write_related(b);
	}
	write_parts(b, &p, false);
	multipart_end(&p);
}

static void write_custom(const struct message_header *header, struct buf *out)
{
	if (message_header_is_structured(header->name))
		header_plain(out, header->name, header->value);
	else
		header_text(out, header->name, header->value, HEADER_WORD_MAX);
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
	if (!m->n_to && !m->n_cc)
		field(out, "To", "undisclosed-recipients:;");
	if (m->subject)
		header_text(out, "Subject", m->subject, SUBJECT_WORD_MAX);
	field(out, "Message-ID", m->message_id);
	for (size_t i = 0; i < m->n_headers; i++)
		write_custom(&m->headers[i], out);
	field(out, "MIME-Version", "1.0");
}

static size_t count_inline(const struct message *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_parts; i++)
		n += is_related(m, &m->parts[i]);
	return n;
}

static size_t room_in(const struct buf *out)
{
	return (out->limit ? out->limit : BUF_LIMIT) - out->len;
}

/* No append here is longer than a line, so one that failed with more room left found no memory. */
static int set_failure(const struct buf *out, struct err *e)
{
	if (room_in(out) > APPEND_MAX)
		return err_oom(e);
	return err_set(e, ERR_INPUT, "larger than the limit of %zu bytes after encoding",
		       out->len + room_in(out));
}

/* Saves the work where the parts alone cannot fit into room. */
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

/* For what most mails take, in one piece. */
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
	struct builder b = {.m = m, .out = out, .n_inline = count_inline(m)};
	size_t start = out->len, header_bytes;

	if (message_check(m, e))
		return -1;
	if (cannot_fit(m, room_in(out)))
		return err_set(e, ERR_INPUT, "larger than the limit of %zu bytes after encoding",
			       out->len + room_in(out));
	id_random(b.random, RANDOM_LEN);
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

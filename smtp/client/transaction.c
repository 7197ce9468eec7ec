/* One mail: checks it, keeps the result of each recipient, cuts the body into pieces to send. */
#include "smtp/client/transaction.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_MAX 320              /* RFC 5321 4.5.3.1: local part 64, domain 255 */
#define PIECE_MAX ((size_t)64 << 10) /* the longest piece that is searched for dots */

/* Printable ASCII; outside quotes no character that ends the path. */
static bool is_address(const char *text)
{
	size_t len = strlen(text);
	bool is_quoted = false;

	if (len == 0 || len > ADDRESS_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && text[i] == '\\')
			i++;
		else if (!is_quoted && strchr(" <>\\", text[i]))
			return false;
	}
	return !is_quoted;
}

/* True if every CR and LF of the text is part of a CRLF. Notes 8-bit bytes and leading dots. */
static bool check_lines(struct transaction *t, const char *text, size_t len)
{
	size_t n_cr = 0, n_lf = 0;
	unsigned char any = 0;

	for (size_t i = 0; i < len; i++) {
		n_cr += text[i] == '\r';
		any |= (unsigned char)text[i];
	}
	for (const char *p = text; p < text + len; p++) {
		t->is_dotted = t->is_dotted || *p == '.';
		p = memchr(p, '\n', (size_t)(text + len - p));
		if (!p)
			break;
		n_lf++;
		if (p == text || p[-1] != '\r')
			return false;
	}
	t->is_8bit = t->is_8bit || any & 0x80;
	return n_cr == n_lf;
}

static int make_room(struct transaction *t, size_t n, struct err *e)
{
	struct connection_result *results;
	unsigned char *marks;

	if (n <= t->cap)
		return 0;
	results = realloc(t->results, n * sizeof(*results));
	if (!results)
		return err_oom(e);
	t->results = results;
	marks = realloc(t->marks, n);
	if (!marks)
		return err_oom(e);
	t->marks = marks;
	t->cap = n;
	return 0;
}

int transaction_start(struct transaction *t, const struct connection_mail *mail, struct err *e)
{
	t->is_8bit = t->is_dotted = false;
	if (mail->n_recipients == 0)
		return err_set(e, ERR_INPUT, "a mail without recipients");
	if (!is_address(mail->sender))
		return err_set(e, ERR_INPUT, "the sender is not an address");
	for (size_t i = 0; i < mail->n_recipients; i++)
		if (!is_address(mail->recipients[i]))
			return err_set(e, ERR_INPUT, "recipient %zu is not an address", i);
	if ((mail->head && !check_lines(t, mail->head, mail->head_len)) ||
	    !check_lines(t, mail->body, mail->body_len))
		return err_set(e, ERR_INPUT, "the mail has a bare CR or LF");
	if (mail->head && mail->head_len > 0 && mail->head[mail->head_len - 1] != '\n')
		return err_set(e, ERR_INPUT, "the head does not end in CRLF");
	if (make_room(t, mail->n_recipients, e) < 0)
		return -1;
	memset(t->marks, MARK_OPEN, mail->n_recipients);
	t->mail = *mail;
	if (!mail->head)
		t->mail.head_len = 0;
	t->n_answered = t->n_accepted = 0;
	t->lacks_crlf = mail->body_len > 0 && mail->body[mail->body_len - 1] != '\n';
	t->bytes = t->mail.head_len + mail->body_len + (t->lacks_crlf ? 2 : 0);
	t->cursor = (struct transaction_cursor){0};
	return 0;
}

void transaction_deinit(struct transaction *t)
{
	free(t->results);
	free(t->marks);
	*t = (struct transaction){0};
}

void transaction_accept(struct transaction *t, size_t i)
{
	t->marks[i] = MARK_ACCEPTED;
	t->n_accepted++;
}

void transaction_settle(struct transaction *t, size_t i, const struct connection_result *result)
{
	t->marks[i] = MARK_SETTLED;
	t->results[i] = *result;
}

void transaction_settle_all(struct transaction *t, unsigned marks,
			    const struct connection_result *result)
{
	for (size_t i = 0; i < t->mail.n_recipients; i++)
		if (t->marks[i] & marks)
			transaction_settle(t, i, result);
}

static struct iovec segment(const struct transaction *t, int n)
{
	const char *bytes[] = {t->mail.head, t->mail.body, "\r\n"};
	size_t lens[] = {t->mail.head_len, t->mail.body_len, t->lacks_crlf ? 2 : 0};

	return (struct iovec){(void *)(uintptr_t)bytes[n], lens[n]};
}

/* The length of the run that can be written unchanged: up to the next dot that must be doubled. */
static size_t plain_run(const char *from, size_t len)
{
	const char *p = from, *end;

	if (len > PIECE_MAX)
		len = PIECE_MAX;
	end = from + len;
	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		if (p == end || *p == '.')
			return (size_t)(p - from);
	}
	return len;
}

/* The piece at c; moves c past it. False at the end. */
static bool next_piece(const struct transaction *t, struct transaction_cursor *c,
		       struct iovec *piece)
{
	struct iovec whole = {0};
	const char *text;

	while (c->segment < 3) {
		whole = segment(t, c->segment);
		if (c->at < whole.iov_len)
			break;
		*c = (struct transaction_cursor){.segment = c->segment + 1};
	}
	text = whole.iov_base;
	if (c->segment == 3 || !text)
		return false;
	if (text[c->at] == '.' && !c->is_stuffed && (c->at == 0 || text[c->at - 1] == '\n')) {
		*piece = (struct iovec){(void *)(uintptr_t) ".", 1};
		c->is_stuffed = true;
		return true;
	}
	piece->iov_base = (void *)(uintptr_t)(text + c->at);
	piece->iov_len = whole.iov_len - c->at;
	if (t->is_dotted)
		piece->iov_len = plain_run(text + c->at, piece->iov_len);
	c->at += piece->iov_len;
	c->is_stuffed = false;
	return true;
}

size_t transaction_pieces(const struct transaction *t, struct iovec *pieces, size_t max)
{
	struct transaction_cursor c = t->cursor;
	size_t n = 0;

	while (n < max && next_piece(t, &c, &pieces[n]))
		n++;
	return n;
}

void transaction_wrote(struct transaction *t, size_t len)
{
	while (len > 0) {
		struct transaction_cursor after = t->cursor;
		struct iovec piece;

		if (!next_piece(t, &after, &piece))
			return;
		if (len < piece.iov_len) {
			after.at -= piece.iov_len - len;
			len = piece.iov_len;
		}
		t->cursor = after;
		len -= piece.iov_len;
	}
}

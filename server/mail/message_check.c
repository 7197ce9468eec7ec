/* The last check of a message before its bytes are written. */
#include "server/mail/message_check.h"

#include <string.h>
#include <strings.h>

#include "server/mail/content_type.h"
#include "server/mail/header.h"
#include "server/mail/param.h"
#include "server/base/utf8.h"

#define NAME_MAX_LEN 76
#define VALUE_MAX 2000
#define STRUCTURED_VALUE_MAX 8000 /* References of long threads, several URLs */
#define HEADERS_MAX 100
#define CONTENT_ID_MAX 250
#define MESSAGE_ID_MAX 320 /* an id of ours and the longest domain */

/* "*" at the end: all names that begin with it. */
static const char *const reserved[] = {
	"From",
	"To",
	"Cc",
	"Bcc",
	"Subject",
	"Date",
	"Message-ID",
	"Reply-To",
	"Sender",
	"Return-Path",
	"Received",
	"Received-SPF",
	"Resent-*",
	"ARC-*",
	"Authentication-Results",
	"MIME-Version",
	"Content-*",
	"DKIM-Signature",
	"Delivered-To",
	"Apparently-To",
	"DomainKey-Signature",
};

/* Their values are folded, but never encoded (RFC 2047 5). */
static const char *const structured[] = {
	"In-Reply-To", "References",     "List-Unsubscribe",
	"List-Help",   "List-Subscribe", "List-Post",
	"List-Owner",  "List-Archive",   "List-Unsubscribe-Post",
};

static bool is_listed(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(list[i]);

		if (list[i][len - 1] == '*' ? strncasecmp(name, list[i], len - 1) == 0
					    : strcasecmp(name, list[i]) == 0)
			return true;
	}
	return false;
}

bool message_header_is_structured(const char *name)
{
	return is_listed(name, structured, sizeof(structured) / sizeof(structured[0]));
}

static int check_header_name(const char *name, struct err *e)
{
	size_t len = strnlen(name, NAME_MAX_LEN + 1);

	if (!len || len > NAME_MAX_LEN)
		return err_set(e, ERR_INPUT, "a header name has 1 to %d characters", NAME_MAX_LEN);
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
			return err_set(e, ERR_INPUT,
				       "a header name is printable ASCII without "
				       "spaces and colons");
	}
	if (is_listed(name, reserved, sizeof(reserved) / sizeof(reserved[0])))
		return err_set(e, ERR_INPUT, "the header %s cannot be set this way", name);
	return 0;
}

/* Nothing in a structured value can be encoded, so it must be ASCII. */
static int check_structured(const char *name, const char *value, struct err *e)
{
	size_t len;

	for (const char *p = value; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			return err_set(e, ERR_INPUT, "the value of %s must be ASCII", name);
	}
	while ((len = header_word(&value)) > 0) {
		if (len > HEADER_WORD_MAX)
			return err_set(e, ERR_INPUT,
				       "the value of %s has more than %d octets in one piece", name,
				       HEADER_WORD_MAX);
		value += len;
	}
	return 0;
}

int message_check_header(const char *name, const char *value, struct err *e)
{
	size_t max = message_header_is_structured(name) ? STRUCTURED_VALUE_MAX : VALUE_MAX;
	size_t len = strnlen(value, max + 1);

	if (check_header_name(name, e))
		return -1;
	if (len > max)
		return err_set(e, ERR_INPUT, "the value of %s is longer than %zu octets", name,
			       max);
	if (utf8_check_line(value, len, "the header value", e))
		return -1;
	return message_header_is_structured(name) ? check_structured(name, value, e) : 0;
}

void message_part_name(const struct message_part *part, char out[PARAM_VALUE_MAX + 1])
{
	size_t len = part->filename ? strnlen(part->filename, PARAM_VALUE_MAX) : 0;

	for (size_t i = 0; i < len; i++) {
		char c = part->filename[i];

		out[i] = c;
		if (c == '/' || c == '\\')
			out[i] = '_';
	}
	out[len] = 0;
}

/* Only characters that need no escape in a URL, so that "cid:..." in the HTML is the same. */
static int check_content_id(const char *id, struct err *e)
{
	size_t len = strnlen(id, CONTENT_ID_MAX + 1);

	if (!len || len > CONTENT_ID_MAX)
		return err_set(e, ERR_INPUT, "a content id has 1 to %d characters", CONTENT_ID_MAX);
	for (size_t i = 0; i < len; i++) {
		if (id[i] <= ' ' || id[i] > '~' || strchr("<>()[]\\\",;:", id[i]))
			return err_set(e, ERR_INPUT,
				       "a content id is printable ASCII without "
				       "spaces, brackets and quotation marks");
	}
	return 0;
}

/* "." and ".." would be folders for the client that saves the file. */
int message_check_filename(const char *name, size_t len, struct err *e)
{
	if (len && strspn(name, "./\\") == len)
		return err_set(e, ERR_INPUT, "the file name has only dots and slashes");
	if (len > PARAM_VALUE_MAX)
		return err_set(e, ERR_INPUT, "the file name is longer than 1,000 octets");
	return utf8_check_name(name, len, "the file name", e);
}

static bool is_utf8(const struct message_part *part)
{
	const char *text = (const char *)part->bytes;
	uint32_t cp;

	for (size_t i = 0, n; i < part->len; i += n) {
		n = utf8_next(text + i, part->len - i, &cp);
		if (n == 0)
			return false;
	}
	return true;
}

static int check_part(const struct message_part *part, struct err *e)
{
	const char *name = part->filename, *type = part->content_type;

	if (name && message_check_filename(name, strlen(name), e))
		return -1;
	if (type && content_type_check(type, e))
		return -1;
	if (part->place == PART_ALTERNATIVE && !(type && content_type_is(type, "text")))
		return err_set(e, ERR_INPUT,
			       "an alternative part needs a content type that begins with text/");
	if (part->place == PART_ALTERNATIVE && !content_type_has(type, "charset") && !is_utf8(part))
		return err_set(e, ERR_INPUT,
			       "an alternative part that is not UTF-8 needs a content type with a "
			       "charset");
	return part->content_id ? check_content_id(part->content_id, e) : 0;
}

/* The msg-id of RFC 5322 3.6.4, without quoted strings and address literals in it. */
static int check_message_id(const char *id, struct err *e)
{
	size_t len = strnlen(id, MESSAGE_ID_MAX + 1);
	size_t ats = 0;

	if (len < 5 || len > MESSAGE_ID_MAX || id[0] != '<' || id[len - 1] != '>')
		return err_set(e, ERR_INPUT, "a message id has the form <left@right>");
	for (size_t i = 1; i + 1 < len; i++) {
		if (id[i] <= ' ' || id[i] > '~' || strchr("<>()[]\\\",;:", id[i]))
			return err_set(e, ERR_INPUT,
				       "the message id has a character that is not "
				       "allowed");
		ats += id[i] == '@';
	}
	if (ats != 1 || id[1] == '@' || id[len - 2] == '@')
		return err_set(e, ERR_INPUT, "a message id has the form <left@right>");
	return 0;
}

static int check_address(const struct address *a, struct err *e)
{
	size_t len = strnlen(a->email, sizeof(a->email));

	if (!len || len > ADDRESS_EMAIL_MAX || !memchr(a->email, '@', len))
		return err_set(e, ERR_INPUT, "an address is missing or too long");
	for (size_t i = 0; i < len; i++) {
		if (a->email[i] <= ' ' || a->email[i] > '~' || strchr("<>()[]\\\",;:", a->email[i]))
			return err_set(e, ERR_INPUT,
				       "an address has a character that is not allowed");
	}
	len = strnlen(a->name, sizeof(a->name));
	if (len > ADDRESS_NAME_MAX)
		return err_set(e, ERR_INPUT, "the display name is longer than 320 octets");
	return utf8_check_name(a->name, len, "the display name", e);
}

static int check_addresses(const struct address *list, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (check_address(&list[i], e))
			return -1;
	}
	return 0;
}

/* Names that differ only in case are the same field, and most fields may occur only once. */
static int check_headers(const struct message *m, struct err *e)
{
	if (m->n_headers > HEADERS_MAX)
		return err_set(e, ERR_INPUT, "more than %d custom headers", HEADERS_MAX);
	for (size_t i = 0; i < m->n_headers; i++) {
		if (message_check_header(m->headers[i].name, m->headers[i].value, e))
			return -1;
		for (size_t k = 0; k < i; k++) {
			if (strcasecmp(m->headers[i].name, m->headers[k].name) == 0)
				return err_set(e, ERR_INPUT, "the header %s is given twice",
					       m->headers[i].name);
		}
	}
	return 0;
}

/* RFC 5322 4.1: NUL is obsolete. Some servers cut the mail there. */
static int check_body(const char *body, size_t len, const char *what, struct err *e)
{
	if (body && len && memchr(body, 0, len))
		return err_set(e, ERR_INPUT, "%s has a NUL character", what);
	return 0;
}

int message_check(const struct message *m, struct err *e)
{
	if (!m->from || !m->message_id)
		return err_set(e, ERR_INTERNAL, "a message without sender or message id");
	if (check_address(m->from, e) || check_addresses(m->to, m->n_to, e) ||
	    check_addresses(m->cc, m->n_cc, e) || check_addresses(m->reply_to, m->n_reply_to, e))
		return -1;
	if (m->subject && utf8_check_line(m->subject, strlen(m->subject), "the subject", e))
		return -1;
	if (check_message_id(m->message_id, e) || check_headers(m, e))
		return -1;
	for (size_t i = 0; i < m->n_parts; i++) {
		if (check_part(&m->parts[i], e))
			return -1;
	}
	if (check_body(m->text, m->text_len, "the text", e))
		return -1;
	return check_body(m->html, m->html_len, "the HTML", e);
}

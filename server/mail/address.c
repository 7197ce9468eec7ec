/* Reads one mailbox. Refuses forms that two programs could read as two different addresses. */
#include "server/mail/address.h"

#include <idn2.h>
#include <stdbool.h>
#include <string.h>

#include "server/base/utf8.h"

/*   mailbox    = addr-spec / [ name ] "<" addr-spec ">"
 *   name       = quoted-string / 1*( UTF-8 without controls and without ()<>[]:;@\,")
 *   addr-spec  = local "@" domain
 *   local      = atext-run *( "." atext-run )                 RFC 5322 3.2.3, at most 64
 *   domain     = label 1*( "." label )                        RFC 5321 2.3.5, at most 253
 *   label      = let-dig [ *( let-dig / "-" ) let-dig ]       at most 63, the last not a number
 *
 * Spaces are allowed around the mailbox and between name and "<", nowhere else. */

#define LOCAL_MAX 64
#define DOMAIN_MAX 253
#define LABEL_MAX 63
#define TEXT_MAX 2048
#define U_DOMAIN_MAX 1012 /* 253 code points of four octets */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_atext(char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Why a byte is not allowed in an addr-spec; NULL: it is allowed. */
static const char *fault_of(char byte)
{
	if ((unsigned char)byte < 0x20 || byte == 0x7F)
		return "line breaks and other control characters are not accepted in an address";
	switch (byte) {
	case ' ':
		return "spaces are not accepted within an address";
	case '(':
	case ')':
		return "comments in parentheses are not accepted in an address";
	case '"':
	case '\\':
		return "quoted local parts are not accepted in an address";
	case ',':
	case ';':
		return "exactly one address is expected here: lists and groups are not accepted";
	case ':':
		return "a colon (group, route or port) is not accepted in an address";
	case '[':
	case ']':
		return "address literals in brackets are not accepted: use a domain name";
	case '<':
	case '>':
		return "angle brackets must enclose the address, once, at the end";
	default:
		return NULL;
	}
}

/* "=?...?=" (RFC 2047): some readers decode it and get another address. */
static bool has_encoded_word(const char *text, size_t len)
{
	bool is_open = false;

	for (size_t i = 1; i < len; i++) {
		if (is_open && text[i - 1] == '?' && text[i] == '=')
			return true;
		if (text[i - 1] == '=' && text[i] == '?') {
			is_open = true;
			i++;
		}
	}
	return false;
}

static int check_local(const char *text, size_t len, struct err *e)
{
	if (!len)
		return err_set(e, ERR_INPUT, "the part before the @ is empty");
	if (len > LOCAL_MAX)
		return err_set(e, ERR_INPUT, "the part before the @ is longer than 64 octets");
	if (text[0] == '.' || text[len - 1] == '.')
		return err_set(e, ERR_INPUT, "the part before the @ begins or ends with a dot");
	if (has_encoded_word(text, len))
		return err_set(e, ERR_INPUT,
			       "encoded words (=?...?=) are not accepted in an address");
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] >= 0x80)
			return err_set(e, ERR_INPUT,
				       "the part before the @ must be ASCII (SMTPUTF8 is not "
				       "supported)");
		if (text[i] == '.' && text[i - 1] == '.')
			return err_set(e, ERR_INPUT, "the part before the @ has two dots in a row");
		if (text[i] != '.' && !is_atext(text[i]))
			return err_set(e, ERR_INPUT,
				       "the part before the @ has a character that "
				       "is not allowed");
	}
	if (has_encoded_word(text, len))
		return err_set(e, ERR_INPUT,
			       "encoded words (=?...?=) are not accepted in an address");
	return 0;
}

/* Many resolvers read "127.0.0.1" and "0x7f.1" as IP addresses. */
static bool is_number(const char *label, size_t len)
{
	size_t i = 0;
	bool hex = len >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X');

	for (i = hex ? 2 : 0; i < len; i++) {
		if (!is_digit(label[i]) && !(hex && strchr("abcdefABCDEF", label[i])))
			return false;
	}
	return true;
}

static int check_label(const char *label, size_t len, struct err *e)
{
	if (!len)
		return err_set(
			e, ERR_INPUT,
			"the domain has an empty label (a dot too many, or a dot at an end)");
	if (len > LABEL_MAX)
		return err_set(e, ERR_INPUT, "the domain has a label longer than 63 octets");
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(label[i]) && label[i] != '-')
			return err_set(e, ERR_INPUT,
				       "the domain has a character other than "
				       "letters, digits, hyphens and dots");
	}
	if (label[0] == '-' || label[len - 1] == '-')
		return err_set(e, ERR_INPUT, "a label of the domain begins or ends with a hyphen");
	return 0;
}

/* text is ASCII and NUL-terminated. */
static int check_labels(const char *text, struct err *e)
{
	size_t n = 0, len;

	if (!*text)
		return err_set(e, ERR_INPUT, "the domain is empty");
	if (strlen(text) > DOMAIN_MAX)
		return err_set(e, ERR_INPUT, "the domain is longer than 253 octets");
	for (;; text += len + 1) {
		len = strcspn(text, ".");
		if (check_label(text, len, e))
			return -1;
		n++;
		if (!text[len])
			break;
	}
	if (is_number(text, len))
		return err_set(e, ERR_INPUT,
			       "the domain ends in a number: IP addresses are not "
			       "accepted, a domain name is needed");
	if (n < 2)
		return err_set(e, ERR_INPUT,
			       "the domain has only one label: a full domain name, "
			       "such as example.com, is needed");
	return 0;
}

static void copy_lower(char *out, const char *text)
{
	for (; *text; text++)
		*out++ = *text >= 'A' && *text <= 'Z' ? (char)(*text | 0x20) : *text;
	*out = 0;
}

/* Without the STD3 flag: with it, libidn2 deletes characters, and another domain remains. The
 * result is checked instead. */
static int idn_to_ascii(const char *text, char *out, struct err *e)
{
	uint8_t *ascii = NULL;
	int rc = idn2_lookup_u8((const uint8_t *)text, &ascii,
				IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);

	if (rc == IDN2_MALLOC)
		return err_oom(e);
	if (rc != IDN2_OK)
		return err_set(e, ERR_INPUT, "the domain is not a valid international name: %s",
			       idn2_strerror(rc));
	rc = check_labels((const char *)ascii, e);
	if (!rc)
		copy_lower(out, (const char *)ascii);
	idn2_free(ascii);
	return rc;
}

/* True if it has a non-ASCII octet, or a label that begins like an A-label. */
static bool is_international(const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			return true;
		if ((p == text || p[-1] == '.') && strncmp(p, "xn--", 4) == 0)
			return true;
	}
	return false;
}

static int check_domain_bytes(const char *text, size_t len, struct err *e)
{
	for (size_t i = 0; i < len; i++) {
		const char *fault = fault_of(text[i]);

		if (fault)
			return err_set(e, ERR_INPUT, "%s", fault);
		if ((unsigned char)text[i] < 0x80 && !is_alnum(text[i]) && text[i] != '-' &&
		    text[i] != '.')
			return err_set(e, ERR_INPUT,
				       "the domain has a character other than "
				       "letters, digits, hyphens and dots");
	}
	return 0;
}

int address_domain_to_ascii(const char *text, size_t len, char *out, struct err *e)
{
	char name[U_DOMAIN_MAX + 1], lower[U_DOMAIN_MAX + 1];

	if (len > U_DOMAIN_MAX)
		return err_set(e, ERR_INPUT, "the domain is longer than 253 octets");
	if (check_domain_bytes(text, len, e))
		return -1;
	if (len)
		memcpy(name, text, len);
	name[len] = 0;
	copy_lower(lower, name);
	if (is_international(lower))
		return idn_to_ascii(lower, out, e);
	if (check_labels(lower, e))
		return -1;
	memcpy(out, lower, len + 1);
	return 0;
}

/* addr-spec into out, which holds ADDRESS_EMAIL_MAX + 1. */
static int parse_email(const char *text, size_t len, char *out, struct err *e)
{
	const char *at = NULL;
	char domain[DOMAIN_MAX + 1];
	size_t local_len;

	for (size_t i = 0; i < len; i++) {
		const char *fault = fault_of(text[i]);

		if (!fault && text[i] == '@' && at)
			fault = "an address has exactly one @";
		if (fault)
			return err_set(e, ERR_INPUT, "%s", fault);
		if (text[i] == '@')
			at = text + i;
	}
	if (!at)
		return err_set(e, ERR_INPUT, "an address has the form user@example.com");
	local_len = (size_t)(at - text);
	if (check_local(text, local_len, e) ||
	    address_domain_to_ascii(at + 1, len - local_len - 1, domain, e))
		return -1;
	if (local_len + 1 + strlen(domain) > ADDRESS_EMAIL_MAX)
		return err_set(e, ERR_INPUT, "the address is longer than 254 octets");
	memcpy(out, text, local_len + 1);
	memcpy(out + local_len + 1, domain, strlen(domain) + 1);
	return 0;
}

static void trim(const char **text, size_t *len)
{
	while (*len && **text == ' ') {
		(*text)++;
		(*len)--;
	}
	while (*len && (*text)[*len - 1] == ' ')
		(*len)--;
}

static int set_name(const char *text, size_t len, char *out, struct err *e)
{
	trim(&text, &len);
	if (len > ADDRESS_NAME_MAX)
		return err_set(e, ERR_INPUT, "the display name is longer than 320 octets");
	if (utf8_check_name(text, len, "the display name", e))
		return -1;
	if (len)
		memcpy(out, text, len);
	out[len] = 0;
	return 0;
}

/* text begins with a quotation mark. */
static int parse_quoted_name(const char *text, size_t len, char *out, struct err *e)
{
	char name[TEXT_MAX];
	size_t n = 0, i = 1;

	for (; i < len && text[i] != '"'; i++) {
		if (text[i] == '\\')
			i++;
		if (i < len)
			name[n++] = text[i];
	}
	if (i + 1 != len)
		return err_set(e, ERR_INPUT, "the quotation marks must enclose the whole name");
	return set_name(name, n, out, e);
}

static int parse_name(const char *text, size_t len, char *out, struct err *e)
{
	trim(&text, &len);
	if (len && *text == '"')
		return parse_quoted_name(text, len, out, e);
	for (size_t i = 0; i < len; i++) {
		if (text[i] && strchr("()<>[]:;@\\,\"", text[i]))
			return err_set(e, ERR_INPUT,
				       "a display name with \"%c\" in it must be in quotation "
				       "marks; exactly one address is expected here",
				       text[i]);
	}
	return set_name(text, len, out, e);
}

/* The index of the last "<"; len if there is none. */
static size_t find_angle(const char *text, size_t len)
{
	for (size_t i = len; i > 0; i--) {
		if (text[i - 1] == '<')
			return i - 1;
	}
	return len;
}

int address_parse(const char *text, size_t len, struct address *out, struct err *e)
{
	struct address a = {0};
	size_t angle;

	if (len > TEXT_MAX)
		return err_set(e, ERR_INPUT, "the address is longer than 2,048 octets");
	trim(&text, &len);
	if (!len)
		return err_set(e, ERR_INPUT, "the address is empty");
	angle = text[len - 1] == '>' ? find_angle(text, len) : len;
	if (angle == len) {
		if (parse_email(text, len, a.email, e))
			return -1;
	} else if (parse_email(text + angle + 1, len - angle - 2, a.email, e) ||
		   parse_name(text, angle, a.name, e)) {
		return -1;
	}
	*out = a;
	return 0;
}

int address_make(const char *email, size_t email_len, const char *name, size_t name_len,
		 struct address *out, struct err *e)
{
	struct address a = {0};

	if (email_len > TEXT_MAX)
		return err_set(e, ERR_INPUT, "the address is longer than 2,048 octets");
	if (parse_email(email, email_len, a.email, e))
		return -1;
	if (name && set_name(name, name_len, a.name, e))
		return -1;
	*out = a;
	return 0;
}

const char *address_domain(const struct address *a)
{
	const char *at = strchr(a->email, '@');

	return at ? at + 1 : "";
}

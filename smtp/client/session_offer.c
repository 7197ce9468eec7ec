/* Reads the server's name and its extensions from its replies. */
#include "smtp/client/session_offer.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "server/base/number.h"

/* RFC 5321 4.1.1.1:
 *
 *	ehlo-line    = ehlo-keyword *( SP ehlo-param )
 *
 * Old servers write "AUTH=LOGIN" for "AUTH LOGIN". */

struct span {
	const char *text;
	size_t len;
};

/* Takes the next word from the front of *rest; empty at the end. */
static struct span take_word(struct span *rest)
{
	struct span word;

	while (rest->len > 0 && *rest->text == ' ') {
		rest->text++;
		rest->len--;
	}
	word = (struct span){rest->text, 0};
	while (word.len < rest->len && word.text[word.len] != ' ')
		word.len++;
	rest->text += word.len;
	rest->len -= word.len;
	return word;
}

static bool is_word(struct span word, const char *text)
{
	return word.len == strlen(text) && strncasecmp(word.text, text, word.len) == 0;
}

static void read_size(struct session_offer *out, struct span params)
{
	struct span digits = take_word(&params);
	int64_t value;

	if (number_parse(digits.text, digits.len, 0, INT64_MAX, &value) == 0)
		out->size_limit = (size_t)value;
}

static void read_mechanisms(struct session_offer *out, struct span params)
{
	struct span word;

	while ((word = take_word(&params)).len > 0) {
		if (is_word(word, "PLAIN"))
			out->extensions |= OFFER_PLAIN;
		if (is_word(word, "LOGIN"))
			out->extensions |= OFFER_LOGIN;
	}
}

static const struct {
	const char *keyword;
	unsigned extension; /* 0 = read decides */
	void (*read)(struct session_offer *out, struct span params);
} keywords[] = {
	{"PIPELINING", OFFER_PIPELINING, NULL}, {"STARTTLS", OFFER_STARTTLS, NULL},
	{"8BITMIME", OFFER_8BITMIME, NULL},     {"SIZE", OFFER_SIZE, read_size},
	{"AUTH", 0, read_mechanisms},
};

static void read_line(struct session_offer *out, struct span rest)
{
	struct span word = take_word(&rest);

	if (word.len > 5 && strncasecmp(word.text, "AUTH=", 5) == 0) {
		read_mechanisms(out, (struct span){word.text + 5, word.len - 5});
		word.len = 4;
	}
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++) {
		if (!is_word(word, keywords[i].keyword))
			continue;
		out->extensions |= keywords[i].extension;
		if (keywords[i].read)
			keywords[i].read(out, rest);
	}
}

void session_offer_read(struct session_offer *out, const struct reply *r)
{
	const char *cursor = NULL;
	struct span line;

	reply_line(r, &cursor, &line.len); /* the name */
	while ((line.text = reply_line(r, &cursor, &line.len)))
		read_line(out, line);
}

bool session_offer_is_from(const struct reply *r, const char *host_name)
{
	const char *cursor = NULL;
	struct span line;

	line.text = reply_line(r, &cursor, &line.len);
	return line.text && is_word(take_word(&line), host_name);
}

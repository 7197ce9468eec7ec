/* Decides whether a refusal is about the address. */
#include "server/route/bounce.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "server/route/enhanced.h"

/* RFC 3463 3.2 and 3.3: no such mailbox, bad syntax, moved, disabled. 5.1.10 is null MX in RFC
 * 7505; Exchange Online says it of a recipient that it does not know. */
static const struct {
	int subject, detail;
} recipient_codes[] = {{1, 1}, {1, 3}, {1, 6}, {1, 10}, {2, 1}};

static const char *const recipient_words[] = {
	"user unknown",    "unknown user",           "no such user",       "no such recipient",
	"no such mailbox", "mailbox not found",      "user not found",     "recipient not found",
	"invalid mailbox", "address does not exist", "user doesn't exist", "user does not exist"};

/* A reply with one of these is about the sender, its rate or its reputation, whatever its code. */
static const char *const sender_words[] = {
	/* the sender's address */
	"sender", "senders", "mail from", "envelope from", "from address", "from header",
	"return path", "return-path", "reverse-path", "sender's",
	/* authentication, name and address of the client */
	"spf", "dkim", "dmarc", "authentication", "authenticated", "unauthenticated", "helo",
	"ehlo", "rdns", "ptr", "reverse dns",
	/* rate */
	"rate", "too many", "too fast", "too much", "throttled", "throttling", "limit", "limited",
	"limits", "volume", "frequency",
	/* reputation */
	"reputation", "spam", "unsolicited", "abuse", "blacklist", "blacklisted", "blocklist",
	"blocklisted", "block list", "dnsbl", "rbl", "spamhaus", "blocked", "policy"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whole words, in any letter case. */
static bool has_words(const char *text, const char *words)
{
	size_t len = strlen(words);

	for (const char *p = text; *p; p++)
		if (strncasecmp(p, words, len) == 0 && (p == text || !is_letter(p[-1])) &&
		    !is_letter(p[len]))
			return true;
	return false;
}

static bool has_any(const char *text, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (has_words(text, list[i]))
			return true;
	return false;
}

static bool is_recipient_code(const struct enhanced *e)
{
	for (size_t i = 0; e->class == 5 && i < COUNT(recipient_codes); i++)
		if (recipient_codes[i].subject == e->subject &&
		    recipient_codes[i].detail == e->detail)
			return true;
	return false;
}

bool bounce_is_recipient(int code, const char *text)
{
	struct enhanced e;

	if (code < 500 || code > 599 || has_any(text, sender_words, COUNT(sender_words)))
		return false;
	if (enhanced_parse(text, strlen(text), &e))
		return is_recipient_code(&e);
	return has_any(text, recipient_words, COUNT(recipient_words));
}

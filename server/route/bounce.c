/* What a refusal is about. */
#include "server/route/bounce.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "server/route/enhanced.h"

/* RFC 3463 3.2 and 3.3, RFC 7505: no such mailbox, bad syntax, moved, null MX; disabled. */
static const struct {
	int subject, detail;
} recipient_codes[] = {{1, 1}, {1, 3}, {1, 6}, {1, 10}, {2, 1}};

static const char *const recipient_words[] = {
	"user unknown",    "unknown user",           "no such user",       "no such recipient",
	"no such mailbox", "mailbox not found",      "user not found",     "recipient not found",
	"invalid mailbox", "address does not exist", "user doesn't exist", "user does not exist"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool contains(const char *text, const char *words)
{
	size_t len = strlen(words);

	for (; *text; text++)
		if (strncasecmp(text, words, len) == 0)
			return true;
	return false;
}

bool bounce_is_recipient(int code, const char *text)
{
	struct enhanced e;

	if (code < 500 || code > 599)
		return false;
	if (enhanced_parse(text, strlen(text), &e)) {
		for (size_t i = 0; e.class == 5 && i < COUNT(recipient_codes); i++)
			if (recipient_codes[i].subject == e.subject &&
			    recipient_codes[i].detail == e.detail)
				return true;
		return false;
	}
	for (size_t i = 0; i < COUNT(recipient_words); i++)
		if (contains(text, recipient_words[i]))
			return true;
	return false;
}

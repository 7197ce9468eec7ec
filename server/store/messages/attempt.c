/* Writes and reads the line of an attempt. */
#include "server/store/messages/attempt.h"

#include <string.h>

#include "server/base/number.h"

static const struct {
	char letter;
	const char *name;
} steps[ATTEMPT_STEPS] = {
	[ATTEMPT_DNS] = {'n', "dns"},         [ATTEMPT_WAIT] = {'w', "wait"},
	[ATTEMPT_CONNECT] = {'c', "connect"}, [ATTEMPT_GREETING] = {'g', "greeting"},
	[ATTEMPT_EHLO] = {'e', "ehlo"},       [ATTEMPT_TLS] = {'t', "tls"},
	[ATTEMPT_AUTH] = {'a', "auth"},       [ATTEMPT_MAIL] = {'m', "mail"},
	[ATTEMPT_RCPT] = {'r', "rcpt"},       [ATTEMPT_DATA] = {'d', "data"},
	[ATTEMPT_BODY] = {'b', "body"},       [ATTEMPT_REPLY] = {'q', "reply"},
};

#define NUMBER_DIGITS 19
#define WORDS 8
#define REPLY_MAX 150
enum word { STARTED, TOOK, STEPS, HOST, IP, PORT, SOURCE, TLS };

const char *attempt_step_name(enum attempt_step step)
{
	return steps[step].name;
}

const char *attempt_tls_name(enum attempt_tls tls)
{
	static const char *const names[] = {
		[ATTEMPT_TLS_FAILED] = "failed",
		[ATTEMPT_TLS_UNVERIFIED] = "unverified",
		[ATTEMPT_TLS_VERIFIED] = "verified",
	};

	return tls == ATTEMPT_TLS_NONE ? NULL : names[tls];
}

/* ---- writing ---- */

static char *put_number(char *to, int64_t n)
{
	char digits[NUMBER_DIGITS];
	size_t i = sizeof(digits);

	if (n < 0)
		n = 0;
	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0 && i > 0);
	memcpy(to, digits + i, sizeof(digits) - i);
	return to + sizeof(digits) - i;
}

/* Appends a word of at most max octets. `also` is one more octet that is not allowed in it. */
static char *put_word(char *to, const char *word, size_t max, char also)
{
	size_t n = 0;

	for (; word && word[n] && n < max; n++)
		to[n] = word[n] <= ' ' || word[n] > '~' || word[n] == also ? '?' : word[n];
	/* An empty word would shift the words after it. */
	if (n == 0)
		to[n++] = '-';
	return to + n;
}

static char *put_steps(char *to, const struct attempt *a)
{
	const char *start = to;

	for (int i = ATTEMPT_NONE + 1; i < ATTEMPT_STEPS; i++) {
		if (a->steps_ms[i] < 0)
			continue;
		*to++ = steps[i].letter;
		if (a->steps_ms[i] > 0)
			to = put_number(to, a->steps_ms[i]);
	}
	if (to == start)
		*to++ = '-';
	return to;
}

static char *put_tls(char *to, const struct attempt *a)
{
	if (a->tls <= ATTEMPT_TLS_FAILED) {
		*to++ = a->tls == ATTEMPT_TLS_NONE ? '-' : '!';
		return to;
	}
	to = put_word(to, a->tls_version, 15, '/');
	*to++ = '/';
	to = put_word(to, a->tls_cipher, 47, '/');
	*to++ = '/';
	*to++ = a->tls == ATTEMPT_TLS_VERIFIED ? 'v' : 'u';
	return to;
}

static char *put_reply(char *to, const struct attempt *a)
{
	size_t n = 0;

	*to++ = ' ';
	to = put_number(to, a->code);
	*to++ = ' ';
	for (; n < REPLY_MAX && a->reply[n]; n++)
		to[n] = a->reply[n] < ' ' || a->reply[n] > '~' ? '?' : a->reply[n];
	return to + n;
}

size_t attempt_format(const struct attempt *a, char out[ATTEMPT_MAX])
{
	char *p = put_number(out, a->started_ms);

	*p++ = ' ';
	p = put_number(p, a->took_ms);
	*p++ = ' ';
	p = put_steps(p, a);
	*p++ = ' ';
	p = put_word(p, a->host, 253, ' ');
	*p++ = ' ';
	p = put_word(p, a->ip, 45, ' ');
	*p++ = ' ';
	p = a->port ? put_number(p, a->port) : put_word(p, "", 1, ' ');
	*p++ = ' ';
	p = put_word(p, a->source, 45, ' ');
	*p++ = ' ';
	p = put_tls(p, a);
	if (a->reply && *a->reply)
		p = put_reply(p, a);
	*p = 0;
	return (size_t)(p - out);
}

/* ---- reading ---- */

/* Reads digits up to the first other character. -1: no digit, or a value above max. */
static int64_t number(const char **p, int64_t max)
{
	int64_t n = -1;

	*p += number_read(*p, strlen(*p), max, &n);
	return n;
}

static int64_t whole_number(const char *word, int64_t max)
{
	int64_t n = number(&word, max);

	return *word ? -1 : n;
}

static enum attempt_step step_of(char letter)
{
	for (int i = ATTEMPT_NONE + 1; i < ATTEMPT_STEPS; i++)
		if (steps[i].letter == letter)
			return (enum attempt_step)i;
	return ATTEMPT_NONE;
}

static int read_steps(const char *p, struct attempt *out)
{
	for (int i = 0; i < ATTEMPT_STEPS; i++)
		out->steps_ms[i] = -1;
	if (strcmp(p, "-") == 0)
		return 0;
	while (*p) {
		enum attempt_step step = step_of(*p++);
		int64_t ms = *p >= '0' && *p <= '9' ? number(&p, INT32_MAX) : 0;

		if (step == ATTEMPT_NONE || out->steps_ms[step] >= 0 || ms < 0)
			return -1;
		out->steps_ms[step] = (int32_t)ms;
	}
	return 0;
}

static const char *text(const char *word)
{
	return strcmp(word, "-") == 0 ? "" : word;
}

static int read_tls(char *word, struct attempt *out)
{
	char *cipher = strchr(word, '/'), *verdict = cipher ? strchr(cipher + 1, '/') : NULL;

	out->tls_version = out->tls_cipher = "";
	out->tls = strcmp(word, "!") == 0 ? ATTEMPT_TLS_FAILED : ATTEMPT_TLS_NONE;
	if (!verdict)
		return out->tls == ATTEMPT_TLS_FAILED || strcmp(word, "-") == 0 ? 0 : -1;
	*cipher++ = 0;
	*verdict++ = 0;
	if (strcmp(verdict, "v") != 0 && strcmp(verdict, "u") != 0)
		return -1;
	out->tls = *verdict == 'v' ? ATTEMPT_TLS_VERIFIED : ATTEMPT_TLS_UNVERIFIED;
	out->tls_version = text(word);
	out->tls_cipher = text(cipher);
	return 0;
}

/* Splits the line at its blanks. *rest gets the text after the words, or NULL. -1: too few words.
 */
static int cut(char *line, char *words[WORDS], const char **rest)
{
	*rest = NULL;
	for (int i = 0; i < WORDS; i++) {
		char *blank = strchr(line, ' ');

		words[i] = line;
		if (!*line || *line == ' ' || (i < WORDS - 1 && !blank))
			return -1;
		if (!blank)
			break;
		*blank = 0;
		line = blank + 1;
		*rest = i == WORDS - 1 ? line : NULL;
	}
	return 0;
}

static int read_reply(const char *rest, struct attempt *out)
{
	int64_t code = 0;

	out->code = 0;
	out->reply = "";
	if (!rest)
		return 0;
	code = number(&rest, 599);
	if (code < 0 || rest[0] != ' ' || !rest[1])
		return -1;
	out->code = (int)code;
	out->reply = rest + 1;
	return 0;
}

int attempt_parse(const char *line, char scratch[ATTEMPT_MAX], struct attempt *out)
{
	size_t len = strlen(line);
	char *words[WORDS];
	const char *rest;
	int64_t port;

	if (len >= ATTEMPT_MAX)
		return -1;
	memcpy(scratch, line, len + 1);
	if (cut(scratch, words, &rest) < 0)
		return -1;
	out->started_ms = whole_number(words[STARTED], INT64_MAX / 20);
	out->took_ms = whole_number(words[TOOK], INT64_MAX / 20);
	port = strcmp(words[PORT], "-") == 0 ? 0 : whole_number(words[PORT], 65535);
	if (out->started_ms < 0 || out->took_ms < 0 || port < 0 ||
	    read_steps(words[STEPS], out) < 0 || read_tls(words[TLS], out) < 0 ||
	    read_reply(rest, out) < 0)
		return -1;
	out->port = (unsigned)port;
	out->host = text(words[HOST]);
	out->ip = text(words[IP]);
	out->source = text(words[SOURCE]);
	return 0;
}

/* Decides when deferred recipients are tried again. */
#include "smtp/relay/retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "server/base/random.h"
#include "server/config/config.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"

#define HINT_MIN_S 10 /* a shorter time is raised to this */
#define DELAY_SPREAD_PERCENT 20
#define HINT_SPREAD_PERCENT 10

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* ---- the time that a server named ---- */

/* hint   = phrase *2( word ) time
 * phrase = "again in" / "again after" / "back in" / "back after" / "retry in" / "retry after" /
 *	    "greylisted for" / "wait"
 * word   = "at" / "least" / "about" / "another" / "for" / "approximately"
 * time   = 1*6DIGIT *1( SP ) unit / 1*2DIGIT ":" 2DIGIT ":" 2DIGIT
 * unit   = "s" / "sec" / "seconds" / "m" / "min" / "minutes" / "h" / "hours" ... */
static const char *const phrases[] = {"again in", "again after", "back in",        "back after",
				      "retry in", "retry after", "greylisted for", "wait"};
static const char *const fillers[] = {"at", "least", "about", "another", "for", "approximately"};
static const struct {
	const char *name;
	int seconds;
} units[] = {
	{"s", 1},    {"sec", 1},     {"secs", 1},     {"second", 1},  {"seconds", 1},
	{"m", 60},   {"min", 60},    {"mins", 60},    {"minute", 60}, {"minutes", 60},
	{"h", 3600}, {"hour", 3600}, {"hours", 3600},
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The text after the word or phrase and the blanks that follow it; NULL where it does not begin
 * with them. */
static const char *skip_words(const char *text, const char *words)
{
	size_t len = strlen(words);

	if (strncasecmp(text, words, len) != 0 || is_letter(text[len]))
		return NULL;
	text += len;
	while (*text == ' ')
		text++;
	return text;
}

static const char *skip_filler(const char *text)
{
	for (size_t i = 0; i < COUNT(fillers); i++) {
		const char *after = skip_words(text, fillers[i]);

		if (after)
			return after;
	}
	return text;
}

/* Reads at most max digits; -1: there are none, or more. */
static int64_t read_digits(const char **text, int max)
{
	int64_t n = 0;
	int digits = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++) {
		if (++digits > max)
			return -1;
		n = n * 10 + (**text - '0');
	}
	return digits ? n : -1;
}

/* ":mm:ss" after the hours. */
static int64_t read_clock(int64_t hours, const char *text)
{
	int64_t minutes, seconds;

	text++;
	minutes = read_digits(&text, 2);
	if (minutes < 0 || *text++ != ':')
		return 0;
	seconds = read_digits(&text, 2);
	return seconds < 0 ? 0 : (hours * 60 + minutes) * 60 + seconds;
}

static int64_t read_time(const char *text)
{
	int64_t n = read_digits(&text, 6);

	if (n < 0)
		return 0;
	if (*text == ':')
		return read_clock(n, text);
	while (*text == ' ')
		text++;
	for (size_t i = 0; i < COUNT(units); i++)
		if (skip_words(text, units[i].name))
			return n * units[i].seconds;
	return 0;
}

static int64_t read_hint(const char *text)
{
	for (size_t i = 0; i < COUNT(phrases); i++) {
		const char *after = skip_words(text, phrases[i]);

		if (after)
			return read_time(skip_filler(skip_filler(after)));
	}
	return 0;
}

int64_t retry_hint_s(const char *text)
{
	int64_t s = 0;

	for (const char *p = text; *p && s == 0; p++)
		if (p == text || !is_letter(p[-1]))
			s = read_hint(p);
	return s < RETRY_HINT_MAX_S ? s : RETRY_HINT_MAX_S;
}

/* ---- the delay ---- */

static int64_t longest_hint_s(const struct delivery *d)
{
	int64_t longest = 0;

	for (size_t i = 0; i < d->n_recipients; i++) {
		const struct connection_result *r = &d->results[i];
		int64_t s = r->outcome == OUTCOME_DEFERRED && r->source == SOURCE_REMOTE
				    ? retry_hint_s(r->text)
				    : 0;

		if (s > longest)
			longest = s;
	}
	return longest;
}

static unsigned count_attempts(const struct delivery *d)
{
	unsigned most = 0;

	for (size_t i = 0; i < d->n_recipients; i++) {
		unsigned n = d->job->record.recipients[d->numbers[i]].attempts;

		if (n > most)
			most = n;
	}
	return most;
}

static int64_t spread_ms(int64_t s, unsigned percent)
{
	return s * 1000 + random_below((uint32_t)(s * 10 * percent) + 1);
}

int64_t retry_delay_ms(const struct delivery *d)
{
	const struct config *c = d->set->context->config;
	int64_t s = d->job->record.lane == LANE_OTP ? c->retry_first_otp_s : c->retry_first_s;
	int64_t hint_s = longest_hint_s(d);
	unsigned attempts = count_attempts(d);

	if (hint_s) {
		hint_s = hint_s < HINT_MIN_S ? HINT_MIN_S : hint_s;
		return spread_ms(hint_s < c->retry_max_s ? hint_s : c->retry_max_s,
				 HINT_SPREAD_PERCENT);
	}
	for (unsigned i = 0; i < attempts && s < c->retry_max_s; i++)
		s *= 2;
	return spread_ms(s < c->retry_max_s ? s : c->retry_max_s, DELAY_SPREAD_PERCENT);
}

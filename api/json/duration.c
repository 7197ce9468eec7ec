/* Reads durations such as "10m". */
#include "api/json/duration.h"

#include "server/base/number.h"

#define DIGITS_MAX 6

static int64_t seconds_of(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	default:
		return 0;
	}
}

int duration_parse(const char *text, size_t len, int64_t least_s, int64_t most_s, int64_t *ms,
		   struct err *e)
{
	int64_t s, unit = len ? seconds_of(text[len - 1]) : 0;

	if (!unit || len > DIGITS_MAX + 1 || number_parse(text, len - 1, 0, INT64_MAX, &s) < 0)
		return err_set(e, ERR_INPUT,
			       "must be a whole number and a unit (s, m, h or d), such as \"10m\"");
	s *= unit;
	if (s < least_s || s > most_s)
		return err_set(e, ERR_INPUT, "must be between %lld and %lld seconds; this is %lld",
			       (long long)least_s, (long long)most_s, (long long)s);
	*ms = s * 1000;
	return 0;
}

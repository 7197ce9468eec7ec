/* Clocks, and times as text for mail and the API. */
#include "server/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_real_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

void clock_rfc3339(int64_t real_ms, char out[CLOCK_RFC3339_LEN])
{
	time_t s = (time_t)(real_ms / 1000);
	struct tm tm;
	char text[64];

	gmtime_r(&s, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 (int)(real_ms % 1000));
	memcpy(out, text, CLOCK_RFC3339_LEN - 1);
	out[CLOCK_RFC3339_LEN - 1] = 0;
}

/* Reads the ms of ".123" and moves to its end. Digits after the third are dropped. */
static const char *fraction(const char *p, int *ms)
{
	int scale = 100;

	*ms = 0;
	if (*p != '.')
		return p;
	if (p[1] < '0' || p[1] > '9')
		return NULL;
	for (p++; *p >= '0' && *p <= '9'; p++) {
		*ms += (*p - '0') * scale;
		scale /= 10;
	}
	return p;
}

static int offset_minutes(const char *p, int *minutes)
{
	int h, m, n = 0;
	char sign;

	*minutes = 0;
	if ((*p == 'Z' || *p == 'z') && p[1] == 0)
		return 0;
	/* n is 6: sscanf would also take "+1:2" and blanks. */
	if (sscanf(p, "%c%2d:%2d%n", &sign, &h, &m, &n) != 3 || n != 6 || p[n] != 0)
		return -1;
	if ((sign != '+' && sign != '-') || h > 23 || m > 59 || h < 0 || m < 0)
		return -1;
	*minutes = (h * 60 + m) * (sign == '-' ? -1 : 1);
	return 0;
}

int clock_parse_rfc3339(const char *text, int64_t *real_ms)
{
	struct tm tm = {0}, back;
	int ms, minutes, n = 0;
	const char *p;
	char t;
	time_t s;

	if (sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &t,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 7 ||
	    n != 19 || (t != 'T' && t != 't' && t != ' '))
		return -1;
	p = fraction(text + n, &ms);
	if (!p || offset_minutes(p, &minutes) < 0)
		return -1;
	/* A leap second is allowed: it is the first second of the next minute. */
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_year < 1970)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	/* timegm turns February 30 into March 2. Such a date is refused. */
	back = tm;
	s = timegm(&back);
	if (back.tm_mon != tm.tm_mon || back.tm_mday < tm.tm_mday)
		return -1;
	*real_ms = ((int64_t)s - (int64_t)minutes * 60) * 1000 + ms;
	return 0;
}

void clock_rfc5322(int64_t real_ms, char out[CLOCK_RFC5322_LEN])
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t s = (time_t)(real_ms / 1000);
	struct tm tm;
	char text[96];

	gmtime_r(&s, &tm);
	snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday],
		 tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		 tm.tm_sec);
	memcpy(out, text, CLOCK_RFC5322_LEN - 1);
	out[CLOCK_RFC5322_LEN - 1] = 0;
}

/* One line per fact, escaped, bounded, and never blocking. */
#include "server/base/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/base/clock.h"

#define LINE_MAX_BYTES 4096 /* = PIPE_BUF, so that a line is written whole or not at all */
#define VALUE_MAX_BYTES 512

static struct {
	enum log_level least;
	enum log_format format;
	const char *role;
	uint64_t dropped;
} state = {LOG_INFO, LOG_FORMAT_TEXT, "postern", 0};

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

void log_init(enum log_level least, enum log_format format, const char *role)
{
	state.least = least;
	state.format = format;
	state.role = role;
}

bool log_is_on(enum log_level level)
{
	return level >= state.least;
}

uint64_t log_dropped(void)
{
	return state.dropped;
}

/* Keeps 64 bytes for what ends a line, so that a long one is still well-formed. */
static void put(struct line *l, const char *bytes, size_t len)
{
	if (l->len + len + 64 > sizeof(l->text))
		return;
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

/* The length of the well-formed UTF-8 sequence at p (RFC 3629), 0 if there is none. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] >= 0xf5 || (p[0] >= 0x80 && p[0] < 0xc2) || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static void put_escaped(struct line *l, const char *bytes, size_t len)
{
	const unsigned char *p = (const unsigned char *)bytes;
	char code[8];

	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(p + i, len - i);

		if (n == 0 || p[i] < 0x20 || p[i] == 0x7f) {
			snprintf(code, sizeof(code), "\\u%04x", p[i]);
			put_text(l, n ? code : "?");
			n = 1;
		} else {
			if (p[i] == '"' || p[i] == '\\')
				put_text(l, "\\");
			put(l, bytes + i, n);
		}
		i += n;
	}
}

static void put_value(struct line *l, const struct log_field *f, bool json)
{
	char number[24];
	size_t len;

	if (!f->text) {
		snprintf(number, sizeof(number), "%" PRId64, f->number);
		put_text(l, number);
		return;
	}
	len = f->len == (size_t)-1 ? strlen(f->text) : f->len;
	if (len > VALUE_MAX_BYTES)
		len = VALUE_MAX_BYTES;
	if (!json && len && memchr(f->text, ' ', len) == NULL &&
	    memchr(f->text, '"', len) == NULL) {
		put_escaped(l, f->text, len);
		return;
	}
	put_text(l, "\"");
	put_escaped(l, f->text, len);
	put_text(l, "\"");
}

static void put_field(struct line *l, const struct log_field *f, bool json)
{
	put_text(l, json ? ",\"" : " ");
	put_text(l, f->name);
	put_text(l, json ? "\":" : "=");
	put_value(l, f, json);
}

static void emit(struct line *l)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	l->text[l->len++] = '\n';
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT) ||
	    write(STDERR_FILENO, l->text, l->len) != (ssize_t)l->len)
		state.dropped++;
}

void log_write(enum log_level level, const char *fact, const struct log_field *fields)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	bool json = state.format == LOG_FORMAT_JSON;
	char time[CLOCK_RFC3339_LEN];
	struct line l = {.len = 0};
	char head[160];

	clock_rfc3339(clock_real_ms(), time);
	snprintf(head, sizeof(head),
		 json ? "{\"time\":\"%s\",\"level\":\"%s\",\"role\":\"%s\",\"pid\":%d,\"fact\":\"%"
			"s\""
		      : "%s %-5s %s[%d] %s",
		 time, names[level], state.role, (int)getpid(), fact);
	put_text(&l, head);
	for (; fields->name; fields++)
		put_field(&l, fields, json);
	if (json)
		l.text[l.len++] = '}';
	emit(&l);
}

/* Writes log lines: escaped, bounded, never blocking. */
#include "server/base/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/utf8.h"

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

/* Keeps 64 bytes for the end of the line, so that a long line is still valid JSON. */
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

static void put_escaped(struct line *l, const char *bytes, size_t len)
{
	char code[8];
	size_t n;

	for (const char *p = bytes, *end = bytes + len; p < end; p += n ? n : 1) {
		uint32_t cp = 0;

		n = utf8_next(p, (size_t)(end - p), &cp);
		if (n == 0) {
			put_text(l, "?");
		} else if (cp < 0x20 || cp == 0x7f) {
			snprintf(code, sizeof(code), "\\u%04x", (unsigned)cp);
			put_text(l, code);
		} else {
			if (cp == '"' || cp == '\\')
				put_text(l, "\\");
			put(l, p, n);
		}
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

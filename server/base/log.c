/* Writes log lines: escaped, bounded, never blocking. */
#include "server/base/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/utf8.h"

#define LINE_MAX_BYTES 4096 /* = PIPE_BUF, so that a line is written whole or not at all */
#define VALUE_MAX_BYTES 512
#define WRITTEN_LINES 64
#define ONCE_IN_S 10

static _Atomic uint64_t *written; /* shared; NULL = not */

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

/* ---- lines that are written once ---- */

int log_share(void)
{
	void *memory;

	if (written)
		return 0;
	memory = mmap(NULL, WRITTEN_LINES * sizeof(*written), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -1;
	written = memory;
	return 0;
}

/* FNV-1a */
static uint64_t hash_text(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t hash_line(const char *fact, const struct log_field *fields)
{
	uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), fact, strlen(fact) + 1);

	for (; fields->name; fields++) {
		const char *text = fields->text ? fields->text : (const char *)&fields->number;
		size_t len = fields->len;

		if (!fields->text)
			len = sizeof(fields->number);
		else if (len == (size_t)-1)
			len = strlen(text);
		hash = hash_text(hash, fields->name, strlen(fields->name) + 1);
		hash = hash_text(hash, text, len);
	}
	return hash;
}

/* An entry: the upper half of the hash, and the second of the monotonic clock. */
static bool claim_line(uint64_t hash)
{
	uint32_t now_s = (uint32_t)(clock_mono_ms() / 1000) + 1; /* 0 = a free entry */
	uint64_t mine = (hash & UINT64_C(0xffffffff00000000)) | now_s;
	_Atomic uint64_t *entry = &written[hash % WRITTEN_LINES];
	uint64_t found = atomic_load(entry);

	do {
		if ((found ^ mine) >> 32 == 0 && (uint32_t)found != 0 &&
		    now_s - (uint32_t)found < ONCE_IN_S)
			return false;
	} while (!atomic_compare_exchange_weak(entry, &found, mine));
	return true;
}

void log_write_once(enum log_level level, const char *fact, const struct log_field *fields)
{
	if (!written || claim_line(hash_line(fact, fields)))
		log_write(level, fact, fields);
}

/* Keeps a conversation as pieces of octets, and shows it as lines. */
#include "smtp/client/transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "smtp/client/reply.h"

/* A piece: its head, then its octets. Those of a body are a count (uint64_t). */
#define SAID 'C'
#define HEARD 'S'
#define NOTE '*'
#define BODY 'b'
struct piece {
	char kind;
	uint32_t ms, len;
};

#define PIECE_MAX 4096
#define HEAD_BYTES ((size_t)16 << 10) /* the first octets: never dropped */
#define ALL_BYTES ((size_t)32 << 10)
#define DROP_BYTES ((size_t)8 << 10) /* at least so much is dropped at a time */
#define KEPT_CAP ((size_t)4 << 10)   /* more memory than that is freed */
#define LINE_MAX_BYTES 512

void transcript_deinit(struct transcript *t)
{
	buf_deinit(&t->said);
}

static void forget_phases(struct transcript *t)
{
	for (int i = 0; i < PHASES; i++)
		t->phase_ms[i] = -1;
	t->phase = PHASE_NONE;
}

void transcript_tick(struct transcript *t)
{
	if (t)
		t->now_ms = clock_mono_ms();
}

void transcript_open(struct transcript *t, const char *host, const char *address)
{
	if (!t)
		return;
	transcript_tick(t);
	if (t->said.len == 0)
		t->began_ms = t->now_ms;
	t->opened_ms = t->now_ms;
	forget_phases(t);
	transcript_note(t, "connect to %s (%s)", host, address);
}

void transcript_reuse(struct transcript *t)
{
	if (!t)
		return;
	transcript_tick(t);
	t->is_reused = true;
	t->opened_ms = t->began_ms = t->now_ms;
	t->last = t->tail = t->dropped = 0;
	if (t->said.cap > KEPT_CAP)
		buf_deinit(&t->said);
	buf_reset(&t->said);
	forget_phases(t);
}

void transcript_enter(struct transcript *t, enum connection_phase phase)
{
	if (!t)
		return;
	if (t->phase != PHASE_NONE)
		t->phase_ms[t->phase] += (int32_t)(t->now_ms - t->phase_at_ms);
	t->phase = phase;
	t->phase_at_ms = t->now_ms;
	if (phase != PHASE_NONE && t->phase_ms[phase] < 0)
		t->phase_ms[phase] = 0;
}

/* ---- pieces ---- */

static struct piece piece_at(const struct transcript *t, size_t at)
{
	struct piece piece;

	memcpy(&piece, t->said.data + at, sizeof(piece));
	return piece;
}

/* Makes room: drops the oldest pieces after the head. */
static void drop_pieces(struct transcript *t)
{
	size_t end = t->tail;

	while (end < t->said.len && end - t->tail < DROP_BYTES)
		end += sizeof(struct piece) + piece_at(t, end).len;
	memmove(t->said.data + t->tail, t->said.data + end, t->said.len - end);
	t->said.len -= end - t->tail;
	t->dropped += end - t->tail;
	t->last = t->said.len; /* it may be gone, or elsewhere */
}

static void add_piece(struct transcript *t, char kind, const void *bytes, size_t len)
{
	struct piece piece = {.kind = kind, .ms = (uint32_t)(t->now_ms - t->began_ms)};

	piece.len = (uint32_t)len;
	if (t->said.len + sizeof(piece) + len > ALL_BYTES)
		drop_pieces(t);
	if (!buf_reserve(&t->said, sizeof(piece) + len))
		return; /* a piece is kept as a whole or not at all */
	if (t->said.len < HEAD_BYTES)
		t->tail = t->said.len + sizeof(piece) + len;
	t->last = t->said.len;
	buf_append(&t->said, &piece, sizeof(piece));
	buf_append(&t->said, bytes, len);
}

static void add_pieces(struct transcript *t, char kind, const char *bytes, size_t len)
{
	while (t && len > 0) {
		size_t n = len < PIECE_MAX ? len : PIECE_MAX;

		add_piece(t, kind, bytes, n);
		bytes += n;
		len -= n;
	}
}

void transcript_said(struct transcript *t, const char *bytes, size_t len)
{
	add_pieces(t, SAID, bytes, len);
}

void transcript_heard(struct transcript *t, const char *bytes, size_t len)
{
	add_pieces(t, HEARD, bytes, len);
}

void transcript_sent_body(struct transcript *t, size_t len)
{
	uint64_t n = 0;

	if (!t || len == 0)
		return;
	if (t->last < t->said.len && piece_at(t, t->last).kind == BODY) {
		memcpy(&n, t->said.data + t->last + sizeof(struct piece), sizeof(n));
		n += len;
		memcpy(t->said.data + t->last + sizeof(struct piece), &n, sizeof(n));
		return;
	}
	n = len;
	add_piece(t, BODY, &n, sizeof(n));
}

void transcript_note(struct transcript *t, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;
	int n;

	if (!t)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		add_pieces(t, NOTE, text, strlen(text));
}

/* ---- text ---- */

/* The line in progress: pieces may begin and end anywhere in it. */
struct line {
	struct buf *out;
	char kind; /* 0 = none */
	uint32_t ms;
	char bytes[LINE_MAX_BYTES];
	size_t len; /* with the part that is cut */
};

static void end_line(struct line *l)
{
	static const char *const who[] = {[SAID] = "C:", [HEARD] = "S:", [NOTE] = "*"};
	size_t len = l->len < sizeof(l->bytes) ? l->len : sizeof(l->bytes);
	char shown[4 * LINE_MAX_BYTES + 1]; /* at most "\x1b" for an octet */

	if (!l->kind)
		return;
	if (len > 0 && len == l->len && l->bytes[len - 1] == '\r')
		len--;
	reply_escape(l->bytes, len, shown, sizeof(shown));
	buf_fmt(l->out, "%u %s %s%s\n", l->ms, who[(unsigned char)l->kind], shown,
		l->len > sizeof(l->bytes) ? " [cut]" : "");
	l->kind = 0;
}

static void add_run(struct line *l, const struct piece *piece, const char *bytes, size_t len)
{
	size_t room = l->len < sizeof(l->bytes) ? sizeof(l->bytes) - l->len : 0;

	if (!l->kind) {
		l->kind = piece->kind;
		l->ms = piece->ms;
		l->len = 0;
		room = sizeof(l->bytes);
	}
	memcpy(l->bytes + (l->len < sizeof(l->bytes) ? l->len : 0), bytes, len < room ? len : room);
	l->len += len;
}

static void add_lines(struct line *l, const struct piece *piece, const char *bytes)
{
	const char *end = bytes + piece->len;

	if (l->kind != piece->kind || piece->kind == NOTE)
		end_line(l);
	while (bytes < end) {
		const char *lf = memchr(bytes, '\n', (size_t)(end - bytes));

		add_run(l, piece, bytes, (size_t)((lf ? lf : end) - bytes));
		if (lf)
			end_line(l);
		bytes = lf ? lf + 1 : end;
	}
}

static void show_piece(struct line *l, const struct piece *piece, const char *bytes)
{
	uint64_t n;

	if (piece->kind != BODY) {
		add_lines(l, piece, bytes);
		return;
	}
	end_line(l);
	memcpy(&n, bytes, sizeof(n));
	buf_fmt(l->out, "%u C: [%llu octets of the mail]\n", piece->ms, (unsigned long long)n);
}

void transcript_text(const struct transcript *t, struct buf *out)
{
	struct line line = {.out = out};

	for (size_t at = 0; at < t->said.len;) {
		struct piece piece = piece_at(t, at);

		if (at == t->tail && t->dropped > 0) {
			end_line(&line);
			buf_fmt(out, "%u * [%zu octets omitted]\n", piece.ms, t->dropped);
		}
		show_piece(&line, &piece, t->said.data + at + sizeof(piece));
		at += sizeof(piece) + piece.len;
	}
	end_line(&line);
}

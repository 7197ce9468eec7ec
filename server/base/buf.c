/* A growing byte string with a limit. */
#include "server/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_deinit(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.limit = b->limit};
}

void buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_deinit(b);
}

/* The memory stays, for the next use. */
void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

char *buf_reserve(struct buf *b, size_t len)
{
	size_t limit = b->limit ? b->limit : BUF_LIMIT;
	size_t cap = b->cap ? b->cap : 256;
	char *data;

	/* A failure stays until the reset. So a writer may check once, after its last append. */
	if (b->failed || len > limit || b->len > limit - len) {
		b->failed = true;
		return NULL;
	}
	/* One octet more than asked for: the bytes always end with NUL. */
	if (b->len + len + 1 <= b->cap)
		return b->data + b->len;
	while (cap < b->len + len + 1)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data) {
		b->failed = true;
		return NULL;
	}
	b->data = data;
	b->cap = cap;
	return data + b->len;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
	char *to = buf_reserve(b, len);

	if (!to)
		return;
	if (len)
		memcpy(to, bytes, len);
	b->len += len;
	b->data[b->len] = 0;
}

void buf_str(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

/* Formats into the free room, which is usually large enough. */
static int fmt_in_place(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->failed || !b->cap ? 0 : b->cap - b->len;
	int len = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);

	if (len >= 0 && (size_t)len < room && buf_reserve(b, (size_t)len)) {
		b->len += (size_t)len;
		return 0;
	}
	/* vsnprintf wrote the part that fits. It does not count. */
	if (room)
		b->data[b->len] = 0;
	return len < 0 ? -1 : len + 1;
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int need;
	char *to;

	va_start(ap, fmt);
	need = fmt_in_place(b, fmt, ap);
	va_end(ap);
	if (need == 0)
		return;
	to = need < 0 ? NULL : buf_reserve(b, (size_t)need - 1);
	if (!to) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	b->len += (size_t)vsnprintf(to, (size_t)need, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *b, size_t len)
{
	if (len > b->len)
		len = b->len;
	b->len -= len;
	if (b->len)
		memmove(b->data, b->data + len, b->len);
	if (b->data)
		b->data[b->len] = 0;
}

const char *buf_text(const struct buf *b)
{
	return b->data && b->len ? b->data : "";
}

char *buf_give(struct buf *b)
{
	char *data;

	if (!b->data)
		buf_append(b, "", 0);
	data = b->failed ? NULL : b->data;
	if (!data)
		free(b->data);
	*b = (struct buf){.limit = b->limit};
	return data;
}

void *list_room(void *items, size_t n, size_t size)
{
	if (n == 0)
		return items ? items : malloc(size);
	/* The list is full only when n is a power of two, so no capacity is kept. */
	if (n & (n - 1))
		return items;
	return reallocarray(items, 2 * n, size);
}

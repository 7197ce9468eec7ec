#ifndef SERVER_BASE_BUF_H
#define SERVER_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* A growing byte string with a limit. An append that fails (no memory, over the limit) sets
 * `failed`, and all later appends do nothing. So append freely and check `failed` once at the end.
 * A zeroed struct buf is valid and has the limit BUF_LIMIT. data is NUL-terminated when len > 0. */

#define BUF_LIMIT ((size_t)64 << 20)

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t limit; /* 0 = BUF_LIMIT */
	bool failed;
};

/* Frees the bytes and empties b; the limit stays. */
void buf_deinit(struct buf *b);
void buf_wipe(struct buf *b);  /* overwrites the bytes, then buf_deinit; for secrets */
void buf_reset(struct buf *b); /* len = 0, failed = false; keeps the memory */
/* bytes may contain NUL; they must not be in b itself. */
void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_str(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for len more bytes and returns its start. The caller writes the bytes and adds their
 * number to b->len. NULL when failed. */
char *buf_reserve(struct buf *b, size_t len);
/* Drops len bytes from the front. */
void buf_consume(struct buf *b, size_t len);
/* The text, or "" when empty. */
const char *buf_text(const struct buf *b);
/* Returns data, which the caller frees with free(), and empties b. NULL when failed. */
char *buf_give(struct buf *b);

/* Makes room for one more item in a malloc()ed list of n items of `size` bytes. The list doubles
 * when n is a power of two. Returns the list, which may have moved. NULL: out of memory; the list
 * is unchanged. */
void *list_room(void *items, size_t n, size_t size);

#endif

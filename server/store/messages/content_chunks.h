#ifndef SERVER_STORE_MESSAGES_CONTENT_CHUNKS_H
#define SERVER_STORE_MESSAGES_CONTENT_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct buf;
struct redis;

/* Writes and reads packed contents in chunks of at most 64 KB, as bulk calls. The key of a
 * chunk is the root of the partition, the name, ":" and the number of the chunk, from 0. */

#define CONTENT_CHUNK_BYTES ((size_t)64 << 10)

/* why NULL: done. */
typedef void content_chunks_fn(const struct err *why, void *arg);

/* The number of chunks of a content of this size. */
size_t content_chunks_count(size_t len);
/* Writes the chunks of packed, which is not empty and is copied. They expire after an hour, unless
 * a transition keeps them. An existing chunk stays as it is. fn fires exactly once, after this
 * function has returned. */
void content_chunks_write(struct redis *redis, unsigned partition, const char *name,
			  const struct buf *packed, int64_t limit_ms, content_chunks_fn *fn,
			  void *arg);
/* Appends the chunks to *packed, which must live until fn fires. One chunk after the other is read.
 * limit_ms: of each chunk; 0 = none. ERR_NOT_FOUND: a chunk is missing. ERR_INTERNAL: out of
 * memory. */
void content_chunks_read(struct redis *redis, unsigned partition, const char *name, size_t count,
			 int64_t limit_ms, struct buf *packed, content_chunks_fn *fn, void *arg);

#endif

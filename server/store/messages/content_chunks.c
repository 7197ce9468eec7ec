/* Writes and reads packed contents in chunks. */
#include "server/store/messages/content_chunks.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/buf.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"

#define LIFE_S "3600" /* of a chunk that no transition keeps */
#define NAME_MAX_BYTES 96
#define CHUNK_KEY "%s:%zu"

size_t content_chunks_count(size_t len)
{
	return (len + CONTENT_CHUNK_BYTES - 1) / CONTENT_CHUNK_BYTES;
}

/* ---- write ---- */

struct writing {
	struct call_group group;
	content_chunks_fn *fn;
	void *arg;
};

static void on_written(const struct call_result *result, void *context)
{
	struct writing *w = context;

	if (!call_group_end(&w->group, result))
		return;
	w->fn(w->group.has_failed ? &w->group.why : NULL, w->arg);
	free(w);
}

static void on_oom(const struct call_result *result, void *context)
{
	struct writing *w = context;

	w->fn(result->why, w->arg);
}

void content_chunks_write(struct redis *redis, unsigned partition, const char *name,
			  const struct buf *packed, int64_t limit_ms, content_chunks_fn *fn,
			  void *arg)
{
	size_t count = content_chunks_count(packed->len), k = 0;
	struct writing new = {.group.n_open = (unsigned)count, .fn = fn, .arg = arg};
	struct writing *w = malloc(sizeof(*w));

	if (!w) {
		redis_call_oom(redis, CALLBACK_COPY(on_oom, new));
		return;
	}
	*w = new;
	do {
		size_t from = k * CONTENT_CHUNK_BYTES, left = packed->len - from;
		struct command c = {0};

		command_start(&c, "SET");
		command_key(&c, partition, CHUNK_KEY, name, k);
		command_arg(&c, packed->data + from,
			    left > CONTENT_CHUNK_BYTES ? CONTENT_CHUNK_BYTES : left);
		command_str(&c, "EX");
		command_str(&c, LIFE_S);
		command_str(&c, "NX");
		redis_call_bulk(redis, &c, limit_ms, CALLBACK(on_written, w));
	} while (++k < count);
}

/* ---- read ---- */

struct reading {
	struct redis *redis;
	unsigned partition;
	char name[NAME_MAX_BYTES];
	size_t count, next;
	int64_t limit_ms;
	struct buf *packed;
	content_chunks_fn *fn;
	void *arg;
};

static void read_chunk(const struct reading *r);

static void on_chunk(const struct call_result *result, void *context)
{
	struct reading *r = context;
	struct err e = {0};

	if (result->end != CALL_ANSWERED)
		e = *result->why;
	else if (!resp_is_text(result->reply))
		err_set(&e, ERR_NOT_FOUND, "a chunk of the content is missing");
	else
		buf_append(r->packed, resp_text(result->reply), resp_len(result->reply));
	if (!e.kind && r->packed->failed)
		err_oom(&e);
	if (!e.kind && ++r->next < r->count)
		read_chunk(r);
	else
		r->fn(e.kind ? &e : NULL, r->arg);
}

static void read_chunk(const struct reading *r)
{
	struct command c = {0};

	command_start(&c, "GET");
	command_key(&c, r->partition, CHUNK_KEY, r->name, r->next);
	redis_call_bulk(r->redis, &c, r->limit_ms, CALLBACK_COPY(on_chunk, *r));
}

void content_chunks_read(struct redis *redis, unsigned partition, const char *name, size_t count,
			 int64_t limit_ms, struct buf *packed, content_chunks_fn *fn, void *arg)
{
	struct reading r = {.redis = redis,
			    .partition = partition,
			    .count = count,
			    .limit_ms = limit_ms,
			    .packed = packed,
			    .fn = fn,
			    .arg = arg};

	snprintf(r.name, sizeof(r.name), "%s", name);
	read_chunk(&r);
}

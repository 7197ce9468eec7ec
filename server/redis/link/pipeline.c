/* Commands and replies on one connection, in order. */
#include "server/redis/link/pipeline.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/loop.h"
#include "server/redis/link/command.h"
#include "server/stream/stream.h"

#define READ_BYTES 65536
#define READS_A_TURN 16
#define KEEP_BYTES ((size_t)1 << 20) /* a larger buffer is freed when it is empty */

struct waiting {
	reply_fn *fn;
	void *arg;
};

struct pipeline {
	struct stream *stream;
	redisReader *reader;
	struct buf out;
	size_t out_at;           /* octets of out that were written */
	struct waiting *waiting; /* a ring: commands without a reply */
	size_t ring_size, first, n;
	struct waiting listener; /* fn NULL = none */
	struct loop_post post;   /* writes, and reads on, at the end of the turn */
	bool reads_on, has_replied;
	bool is_passing; /* a function up the stack runs the callbacks of replies */
	bool is_kept;    /* the callback took the reply */
	bool is_freed;   /* by a callback; pipeline_move frees the memory */
	uint64_t received, queued, written;
	struct {
		uint64_t received, queued, written;
	} seen; /* by pipeline_has_moved */
	pipeline_broken_fn *broken;
	void *arg;
};

/* ---- commands that wait ---- */

static bool grow_ring(struct pipeline *p)
{
	size_t size = p->ring_size ? p->ring_size * 2 : 64;
	struct waiting *ring = malloc(size * sizeof(*ring));

	if (!ring)
		return false;
	for (size_t i = 0; i < p->n; i++)
		ring[i] = p->waiting[(p->first + i) % p->ring_size];
	free(p->waiting);
	p->waiting = ring;
	p->ring_size = size;
	p->first = 0;
	return true;
}

static struct waiting take_first(struct pipeline *p)
{
	struct waiting w = p->waiting[p->first];

	p->first = (p->first + 1) % p->ring_size;
	p->n--;
	return w;
}

/* ---- output ---- */

static bool add_output(struct pipeline *p, const char *bytes, size_t len)
{
	if (p->out_at > p->out.len / 2) {
		buf_consume(&p->out, p->out_at);
		p->out_at = 0;
	}
	buf_append(&p->out, bytes, len);
	if (p->out.failed) {
		p->out.failed = false; /* what was there before is unchanged */
		return false;
	}
	p->queued += len;
	loop_post(&p->post);
	return true;
}

bool pipeline_send(struct pipeline *p, const char *bytes, size_t len, reply_fn *fn, void *arg)
{
	if ((p->n == p->ring_size && !grow_ring(p)) || !add_output(p, bytes, len))
		return false;
	p->waiting[(p->first + p->n++) % p->ring_size] = (struct waiting){fn, arg};
	return true;
}

bool pipeline_send_command(struct pipeline *p, struct command *take, reply_fn *fn, void *arg)
{
	size_t len;
	const char *bytes = command_finish(take, &len);
	bool is_sent = bytes && pipeline_send(p, bytes, len, fn, arg);

	buf_wipe(&take->bytes);
	return is_sent;
}

bool pipeline_listen(struct pipeline *p, const char *bytes, size_t len, reply_fn *fn, void *arg)
{
	if (!add_output(p, bytes, len))
		return false;
	p->listener = (struct waiting){fn, arg};
	return true;
}

/* False: the stream is broken. */
static bool write_output(struct pipeline *p)
{
	while (p->out_at < p->out.len) {
		struct iovec piece = {p->out.data + p->out_at, p->out.len - p->out_at};
		ssize_t n = stream_write(p->stream, &piece, 1);

		if (n <= 0)
			return n == 0;
		p->out_at += (size_t)n;
		p->written += (size_t)n;
	}
	p->out_at = 0;
	if (p->out.cap > KEEP_BYTES)
		buf_deinit(&p->out);
	else
		buf_reset(&p->out);
	return true;
}

/* ---- input ---- */

/* Passes on the replies that are complete. Returns NULL, or why the connection is of no use.
 * A callback may have freed the pipeline. */
static const char *pass_replies(struct pipeline *p)
{
	void *reply = NULL;

	while (redisReaderGetReply(p->reader, &reply) == REDIS_OK) {
		struct waiting w = p->listener;

		if (!reply)
			return NULL;
		p->has_replied = true;
		if (p->n)
			w = take_first(p);
		p->is_kept = false;
		if (w.fn)
			w.fn(reply, w.arg);
		if (!p->is_kept)
			freeReplyObject(reply);
		if (p->is_freed)
			return NULL;
		if (!w.fn)
			return "a reply without a command";
		reply = NULL;
	}
	return p->reader->errstr;
}

static const char *read_some(struct pipeline *p)
{
	char bytes[READ_BYTES];
	const char *why = NULL;
	unsigned turns = 0;
	ssize_t n;

	p->reads_on = false;
	do {
		n = stream_read(p->stream, bytes, sizeof(bytes));
		if (n < 0)
			return stream_why(p->stream);
		if (n == 0)
			return NULL;
		p->received += (size_t)n;
		if (redisReaderFeed(p->reader, bytes, (size_t)n) != REDIS_OK)
			return p->reader->errstr;
		why = pass_replies(p);
		if (why || p->is_freed)
			return why;
	} while (stream_has_more(p->stream, (size_t)n, sizeof(bytes)) && ++turns < READS_A_TURN);
	p->reads_on = turns == READS_A_TURN;
	if (p->reads_on)
		loop_post(&p->post);
	return NULL;
}

static void release(struct pipeline *p)
{
	redisReaderFree(p->reader);
	buf_wipe(&p->out);
	free(p->waiting);
	free(p);
}

void pipeline_move(struct pipeline *p)
{
	const char *why;

	p->is_passing = true;
	why = read_some(p);
	p->is_passing = false;
	if (p->is_freed) {
		release(p);
		return;
	}
	if (!why && !write_output(p))
		why = stream_why(p->stream);
	if (why)
		p->broken(why, p->arg);
}

static void on_post(void *arg)
{
	struct pipeline *p = arg;

	if (p->reads_on)
		pipeline_move(p);
	else if (!write_output(p))
		p->broken(stream_why(p->stream), p->arg);
}

/* ---- life ---- */

struct pipeline *pipeline_new(struct loop *loop, struct stream *stream, pipeline_broken_fn *broken,
			      void *arg)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->stream = stream;
	p->broken = broken;
	p->arg = arg;
	p->reader = redisReaderCreate();
	if (p->reader && loop_post_init(&p->post, loop, on_post, p) == 0)
		return p;
	if (p->reader)
		redisReaderFree(p->reader);
	free(p);
	return NULL;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	loop_post_deinit(&p->post);
	while (p->n) {
		struct waiting w = take_first(p);

		w.fn(NULL, w.arg);
	}
	p->is_freed = p->is_passing;
	if (!p->is_freed)
		release(p);
}

void pipeline_keep_reply(struct pipeline *p)
{
	p->is_kept = true;
}

bool pipeline_has_replied(const struct pipeline *p)
{
	return p->has_replied;
}

bool pipeline_has_moved(struct pipeline *p)
{
	bool has_moved = p->received != p->seen.received ||
			 (p->written > p->seen.written && p->written < p->seen.queued);

	p->seen.received = p->received;
	p->seen.queued = p->queued;
	p->seen.written = p->written;
	return has_moved;
}

/* A connection that carries calls: sends them, matches replies, sends them again after a loss. */
#include "server/redis/calls.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/redis/link/script.h"
#include "server/redis/refusal.h"

#define RETRY_MS 200     /* delay after a "not now" of Redis */
#define READONLY_MS 1500 /* after a replica refused: time to find the master and to connect */
#define REFUSALS_MAX 5   /* of a call without a time limit; 6 s in all, with growing delays */
#define SILENCE_MS 10000 /* no octet for this long while a call waits: the connection is dead */
#define MOVES_AT_ONCE 3  /* after that, nodes that disagree are asked every RETRY_MS only */
#define BULK_CALLS 16
#define BULK_BYTES ((size_t)512 << 10)

struct call {
	struct call *next, *prev;
	struct calls *calls;
	struct command command;
	call_fn *fn; /* NULL: the call has ended early; its reply is dropped */
	void *context;
	int64_t limit_at, retry_at; /* monotonic ms; 0 = none */
	size_t sent_bytes;
	int refusals, moves; /* moves: MOVED replies */
	unsigned n_awaited;  /* replies, on the current connection */
	redisReply *kept;    /* the reply, until a replica has confirmed */
	bool is_sent;        /* on the current connection */
	bool was_refused;    /* the last reply was "not now" */
	bool was_lost;       /* sent on a connection that was lost: it may have run */
	max_align_t copy[];  /* of the context, for CALLBACK_COPY */
};

static void send_waiting(struct calls *l);

static void link_call(struct calls *l, struct call *c)
{
	c->calls = l;
	c->next = NULL;
	c->prev = l->last;
	if (l->last)
		l->last->next = c;
	else
		l->first = c;
	l->last = c;
}

static void unlink_call(struct call *c)
{
	struct calls *l = c->calls;

	if (c->prev)
		c->prev->next = c->next;
	else
		l->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		l->last = c->prev;
}

static void end_call(struct call *c, enum call_end end, const redisReply *reply,
		     const struct err *why)
{
	unlink_call(c);
	command_deinit(&c->command);
	if (c->fn)
		c->fn(&(struct call_result){end, (const struct resp *)reply, why}, c->context);
	free(c);
}

void calls_reconnect(struct calls *l, const char *why)
{
	snprintf(l->not_now, sizeof(l->not_now), "%s", why);
	l->is_stale = true;
}

/* The call is sent again later. If the server is a replica, the next tick drops the connection. Not
 * now, because the replies to other calls, also refusals, are still to be read. */
static void take_not_now(struct call *c, const char *text, enum refusal refusal)
{
	struct calls *l = c->calls;
	int64_t soon = clock_mono_ms() + READONLY_MS;

	LOG_ONCE(LOG_WARN, "store.not_now", LOG_S("reason", text));
	c->was_lost |= refusal_is_from_script(text);
	c->was_refused = true;
	refusal_write(text, l->not_now, sizeof(l->not_now));
	l->is_stale |= refusal == REFUSAL_REPLICA || refusal == REFUSAL_NO_LOGIN;
	if (refusal == REFUSAL_REPLICA && c->limit_at > soon)
		c->limit_at = soon;
}

/* The command did not run. */
static void take_redirect(struct call *c, const char *text, enum refusal refusal)
{
	struct calls *l = c->calls;

	if (refusal == REFUSAL_MOVED && c->moves++ < MOVES_AT_ONCE)
		c->retry_at = 0;
	if (refusal == REFUSAL_UNSTABLE)
		LOG_ONCE(LOG_WARN, "store.not_now", LOG_S("reason", text));
	c->was_refused = true;
	refusal_write(text, l->not_now, sizeof(l->not_now));
	l->redirect.fn(c->command.partition, text, l->redirect.arg);
}

static void on_error(struct call *c, const redisReply *r)
{
	enum refusal refusal = refusal_of(r->str);
	struct err why;

	if (c->calls->redirect.fn && (refusal == REFUSAL_MOVED || refusal == REFUSAL_UNSTABLE)) {
		take_redirect(c, r->str, refusal);
		return;
	}
	if (refusal == REFUSAL_NOT_LOADED)
		script_load_again(c->calls->conn, &c->calls->is_loading);
	if (refusal != REFUSAL_FINAL) {
		take_not_now(c, r->str, refusal);
		return;
	}
	LOG(LOG_ERROR, "store.script_failed", LOG_S("reason", r->str));
	if (c->fn && !c->limit_at && c->refusals < REFUSALS_MAX) {
		/* Without a time limit, do not give up because of a temporary error. */
		c->was_lost |= refusal_is_from_script(r->str);
		c->retry_at = clock_mono_ms() + ((int64_t)RETRY_MS << c->refusals++);
		return;
	}
	err_set(&why, ERR_INTERNAL, "Redis refused a command: %s", r->str);
	end_call(c, CALL_FAILED, NULL, &why);
}

static void take_reply(struct call *c, const redisReply *r)
{
	c->retry_at = clock_mono_ms() + RETRY_MS;
	if (r->type == REDIS_REPLY_ERROR) {
		on_error(c, r);
		return;
	}
	metric_add(METRIC_STORE_CALLS, 1);
	end_call(c, CALL_ANSWERED, r, NULL);
}

/* waited: the reply to WAIT, the number of replicas that have confirmed. */
static void take_confirmed(struct call *c, const redisReply *r, const redisReply *waited)
{
	struct err why;

	if (r->type == REDIS_REPLY_ERROR ||
	    (waited->type == REDIS_REPLY_INTEGER && waited->integer > 0)) {
		take_reply(c, r);
		return;
	}
	err_set(&why, ERR_RETRY, "no replica of Redis has confirmed%s%s",
		waited->type == REDIS_REPLY_ERROR ? ": " : " within 2 s",
		waited->type == REDIS_REPLY_ERROR ? waited->str : "");
	LOG_ONCE(LOG_WARN, "store.not_replicated", LOG_S("reason", why.text));
	end_call(c, CALL_UNKNOWN, NULL, &why);
}

/* r: the reply to the command, or to the WAIT after it. */
static void on_reply(const redisReply *r, void *arg)
{
	struct call *c = arg;
	struct calls *l = c->calls;
	redisReply *kept = c->kept;

	c->kept = NULL;
	if (--c->n_awaited) {
		c->kept = (redisReply *)(uintptr_t)r;
		conn_keep_reply(l->conn);
		return;
	}
	c->is_sent = false;
	l->n_sent--;
	l->sent_bytes -= c->sent_bytes;
	if (!r || (c->command.waits_for_replica && !kept)) {
		c->was_lost = true;
		metric_add(METRIC_STORE_RERUNS, 1);
		freeReplyObject(kept);
		return; /* the connection is lost; sent again on the next one */
	}
	l->moved_at = clock_mono_ms();
	if (kept)
		take_confirmed(c, kept, r);
	else
		take_reply(c, r);
	freeReplyObject(kept);
	if (l->is_bulk)
		send_waiting(l);
}

static bool send_wait(struct calls *l, struct call *c)
{
	struct command wait = {0};

	command_wait(&wait);
	return conn_send_command(l->conn, &wait, on_reply, c);
}

static void send_call(struct calls *l, struct call *c)
{
	size_t len;
	const char *bytes = command_finish(&c->command, &len);

	if (!bytes || !conn_send(l->conn, bytes, len, on_reply, c))
		return;
	if (l->n_sent++ == 0)
		l->moved_at = clock_mono_ms();
	l->sent_bytes += len;
	c->sent_bytes = len;
	c->is_sent = true;
	c->was_refused = false;
	c->n_awaited = 1;
	if (!c->command.waits_for_replica)
		return;
	if (send_wait(l, c))
		c->n_awaited = 2;
	else
		calls_reconnect(l, "out of memory");
}

static bool has_room(const struct calls *l, const struct call *c)
{
	return !l->is_bulk || l->n_sent == 0 ||
	       (l->n_sent < BULK_CALLS && l->sent_bytes + c->command.bytes.len <= BULK_BYTES);
}

static void send_waiting(struct calls *l)
{
	int64_t now = clock_mono_ms();

	if (!l->is_up)
		return;
	for (struct call *c = l->first; c; c = c->next) {
		if (c->is_sent || c->retry_at > now)
			continue;
		if (!has_room(l, c))
			return;
		send_call(l, c);
	}
}

static void send_now(struct calls *l, struct call *c)
{
	if (l->is_bulk)
		send_waiting(l);
	else if (l->is_up && !c->retry_at)
		send_call(l, c);
}

/* Aborts when memory runs out: without the call its callback could never fire. */
static struct call *new_call(size_t context_size)
{
	struct call *c = malloc(sizeof(*c) + context_size);

	if (!c)
		abort();
	*c = (struct call){0};
	return c;
}

void calls_add(struct calls *l, struct command *take, int64_t limit_ms, struct callback back)
{
	struct call *c = new_call(back.size);

	c->command = *take;
	*take = (struct command){0};
	c->fn = back.fn;
	c->context = back.size ? (void *)c->copy : (void *)(uintptr_t)back.context;
	if (back.size)
		memcpy(c->copy, back.context, back.size);
	c->limit_at = limit_ms ? clock_mono_ms() + limit_ms : 0;
	link_call(l, c);
	send_now(l, c);
}

void calls_went_up(struct calls *l)
{
	l->is_up = true;
	l->is_stale = false;
	conn_is_fit(l->conn);
	send_waiting(l);
}

void calls_move(struct calls *l, struct calls *(*to)(unsigned partition, void *arg), void *arg)
{
	struct calls *other;
	struct call *next;

	for (struct call *c = l->first; c; c = next) {
		next = c->next;
		other = c->command.is_placed ? to(c->command.partition, arg) : l;
		if (c->is_sent || !c->fn || other == l)
			continue;
		unlink_call(c);
		c->was_refused = false;
		link_call(other, c);
		send_now(other, c);
	}
}

/* A sent call stays until its reply or the loss comes: the connection still points to it. */
static void end_early(struct call *c, const char *text)
{
	call_fn *fn = c->fn;
	struct err why;

	err_set(&why, ERR_RETRY, "%s", text);
	if (!c->is_sent) {
		end_call(c, c->was_lost ? CALL_UNKNOWN : CALL_NEVER_SENT, NULL, &why);
		return;
	}
	c->fn = NULL;
	c->limit_at = 0;
	if (fn)
		fn(&(struct call_result){CALL_UNKNOWN, NULL, &why}, c->context);
}

/* The first call whose time limit has passed, or that has ended early. */
static struct call *first_over(struct calls *l, int64_t now)
{
	for (struct call *c = l->first; c; c = c->next)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed was unlinked first */
		if (c->command.bytes.failed || (!c->fn && !c->is_sent) ||
		    (c->limit_at && c->limit_at <= now))
			return c;
	return NULL;
}

static bool is_silent(struct calls *l, int64_t now)
{
	if (conn_has_moved(l->conn))
		l->moved_at = now;
	return l->n_sent && now - l->moved_at > SILENCE_MS;
}

void calls_tick(struct calls *l)
{
	int64_t now = clock_mono_ms();
	struct call *c;
	struct err why;

	if (l->is_stale) {
		l->is_stale = false; /* once: the next handshake may take longer than a tick */
		conn_drop(l->conn, l->not_now);
	}
	while ((c = first_over(l, now))) {
		if (c->command.bytes.failed) {
			err_oom(&why);
			end_call(c, CALL_FAILED, NULL, &why);
		} else if (!c->fn) {
			end_call(c, CALL_UNKNOWN, NULL, NULL);
		} else {
			end_early(c, c->was_refused ? l->not_now : "Redis did not reply in time");
		}
	}
	if (is_silent(l, now))
		conn_drop(l->conn, "Redis has neither sent nor taken an octet for 10 s");
	else
		send_waiting(l);
}

static struct call *first_awaited(const struct calls *l)
{
	struct call *c = l->first;

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed was unlinked first */
	while (c && !c->fn)
		c = c->next;
	return c;
}

void calls_abandon(struct calls *l)
{
	struct call *c;

	while ((c = first_awaited(l)))
		end_early(c, "the process is stopping");
}

void calls_close(struct calls *l)
{
	struct call *next;

	conn_free(l->conn);
	for (struct call *c = l->first; c; c = next) {
		next = c->next;
		command_deinit(&c->command);
		free(c);
	}
	l->first = l->last = NULL;
}

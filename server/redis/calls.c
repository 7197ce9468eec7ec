/* A connection that carries calls: sends them, hears them answered, and sends them again. */
#include "server/redis/internal.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/redis/conn.h"
#include "server/redis/script.h"

#define RETRY_MS 200     /* after a "not now" of Redis */
#define REFUSALS_MAX 5   /* of a call without a limit; with growing pauses, 6 s in all */
#define SILENCE_MS 10000 /* a sent call without an answer for so long: the connection is dead */

struct call {
	struct call *next, *prev;
	struct calls *link;
	struct command command;
	call_fn *fn; /* NULL: given up; the answer is for nobody */
	void *arg;
	int64_t limit_at, retry_at, sent_at; /* monotonic ms; 0 = none */
	int refusals;
	bool is_sent;  /* on the present connection */
	bool was_lost; /* with a connection: it may have been done */
};

static void send_waiting(struct calls *l);

static void unlink_call(struct call *c)
{
	struct calls *l = c->link;

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
	call_fn *fn = c->fn;
	void *arg = c->arg;

	unlink_call(c);
	command_deinit(&c->command);
	free(c);
	if (fn)
		fn(end, reply, why, arg);
}

/* The kinds of error that mean "later", whatever the command was. */
static bool is_not_now(const char *text)
{
	static const char *const kinds[] = {"LOADING",  "READONLY",    "MASTERDOWN", "BUSY",
					    "TRYAGAIN", "CLUSTERDOWN", "NOREPLICAS", "MISCONF",
					    "OOM",      "UNBLOCKED",   "NOAUTH",     "EXECABORT",
					    "NOPERM"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
			return true;
	/* An error inside a script wears its own prefix in front of the kind. */
	return strstr(text, "-OOM ") || strstr(text, "-READONLY ") ||
	       strstr(text, "OOM command not");
}

/* Not refused at the door, but stopped on its way. */
static bool is_from_script(const char *text)
{
	return strstr(text, "user_script") != NULL;
}

static void ignore_reply(redisAsyncContext *redis, void *reply, void *arg)
{
	(void)redis;
	(void)reply;
	(void)arg;
}

void calls_load_scripts(struct calls *l, redisCallbackFn *fn)
{
	struct command c = {0};
	const char *bytes;
	size_t len;

	for (int i = 0; i < SCRIPTS; i++) {
		command_start(&c, "SCRIPT");
		command_str(&c, "LOAD");
		command_str(&c, script_text((enum script)i));
		bytes = command_finish(&c, &len);
		if (bytes)
			conn_send(l->conn, bytes, len, fn, l);
	}
	command_deinit(&c);
}

static void on_error(struct call *c, const redisReply *r)
{
	struct err why;

	if (strncmp(r->str, "NOSCRIPT", 8) == 0) {
		calls_load_scripts(c->link, ignore_reply);
		c->retry_at = 0;
		send_waiting(c->link);
		return;
	}
	if (is_not_now(r->str)) {
		c->was_lost |= is_from_script(r->str);
		LOG(LOG_WARN, "store.not_now", LOG_S("reason", r->str));
		if (strncmp(r->str, "READONLY", 8) == 0 || strncmp(r->str, "NOAUTH", 6) == 0)
			conn_drop(c->link->conn, r->str);
		return;
	}
	LOG(LOG_ERROR, "store.script_failed", LOG_S("reason", r->str));
	if (c->fn && !c->limit_at && c->refusals < REFUSALS_MAX) {
		/* What has no limit must not be given up for something that passes. */
		c->was_lost |= is_from_script(r->str);
		c->retry_at = clock_mono_ms() + ((int64_t)RETRY_MS << c->refusals++);
		return;
	}
	err_set(&why, ERR_INTERNAL, "Redis refused a command: %s", r->str);
	end_call(c, CALL_FAILED, NULL, &why);
}

static void on_reply(redisAsyncContext *redis, void *reply, void *arg)
{
	struct call *c = arg;
	const redisReply *r = reply;

	(void)redis;
	c->is_sent = false;
	if (!r) {
		c->was_lost = true;
		metric_add(METRIC_STORE_RERUNS, 1);
		return; /* the connection is lost; it goes out again on the next one */
	}
	c->retry_at = clock_mono_ms() + RETRY_MS;
	if (r->type == REDIS_REPLY_ERROR) {
		on_error(c, r);
		return;
	}
	metric_add(METRIC_STORE_CALLS, 1);
	end_call(c, CALL_ANSWERED, r, NULL);
}

static void send_call(struct calls *l, struct call *c)
{
	size_t len;
	const char *bytes = command_finish(&c->command, &len);

	if (!bytes || !conn_send(l->conn, bytes, len, on_reply, c))
		return;
	c->is_sent = true;
	c->sent_at = clock_mono_ms();
}

static void send_waiting(struct calls *l)
{
	int64_t now = clock_mono_ms();

	if (!l->is_up)
		return;
	for (struct call *c = l->first; c; c = c->next)
		if (!c->is_sent && c->retry_at <= now)
			send_call(l, c);
}

void calls_add(struct calls *l, struct command *take, int64_t limit_ms, call_fn *fn, void *arg)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		abort(); /* a call that cannot be remembered could never be answered */
	c->link = l;
	c->command = *take;
	*take = (struct command){0};
	c->fn = fn;
	c->arg = arg;
	c->limit_at = limit_ms ? clock_mono_ms() + limit_ms : 0;
	c->prev = l->last;
	if (l->last)
		l->last->next = c;
	else
		l->first = c;
	l->last = c;
	if (l->is_up)
		send_call(l, c);
}

void calls_went_up(struct calls *l)
{
	l->is_up = true;
	conn_is_fit(l->conn);
	send_waiting(l);
}

static void give_up(struct call *c)
{
	struct err why;
	call_fn *fn = c->fn;

	err_set(&why, ERR_RETRY, "the store did not answer in time");
	if (!c->is_sent) {
		end_call(c, c->was_lost ? CALL_UNKNOWN : CALL_NEVER_SENT, NULL, &why);
		return;
	}
	c->fn = NULL; /* hiredis still knows it: freed when its answer or the loss comes */
	c->limit_at = 0;
	if (fn)
		fn(CALL_UNKNOWN, NULL, &why, c->arg);
}

/* The first call whose time is up, or that nobody waits for any more. */
static struct call *first_over(struct calls *l, int64_t now)
{
	for (struct call *c = l->first; c; c = c->next)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed was unlinked first */
		if (c->command.bytes.failed || (!c->fn && !c->is_sent) ||
		    (c->limit_at && c->limit_at <= now))
			return c;
	return NULL;
}

void calls_tick(struct calls *l)
{
	int64_t now = clock_mono_ms();
	struct call *c;
	struct err why;

	while ((c = first_over(l, now))) {
		if (c->command.bytes.failed) {
			err_oom(&why);
			end_call(c, CALL_FAILED, NULL, &why);
		} else if (!c->fn) {
			end_call(c, CALL_UNKNOWN, NULL, NULL);
		} else {
			give_up(c);
		}
	}
	for (c = l->first; c; c = c->next) {
		if (c->is_sent && now - c->sent_at > SILENCE_MS) {
			conn_drop(l->conn, "no answer for 10 s");
			return;
		}
	}
	send_waiting(l);
}

/* A sent one stays with hiredis, which tells its loss when the connection is freed. */
static void abandon(struct call *c)
{
	call_fn *fn = c->fn;
	struct err why;

	err_set(&why, ERR_RETRY, "the process ends");
	if (!c->is_sent) {
		end_call(c, CALL_UNKNOWN, NULL, &why);
		return;
	}
	c->fn = NULL;
	fn(CALL_UNKNOWN, NULL, &why, c->arg);
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
		abandon(c);
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

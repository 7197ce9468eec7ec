/* The test inbox: what the built-in sink received. */
#include "server/store/projects/inbox.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/redis/call.h"
#include "server/redis/redis.h"

#define PARTITION 0
#define MAILS_MAX "100"
#define LIFE_S "86400"
#define MAIL_BYTES ((size_t)1 << 20)
#define LIMIT_MS 5000
#define WAITERS_MAX 1000
#define WAIT_MAX_MS 60000
#define POLL_MS 1000

struct look {
	struct redis *redis;
	inbox_fn *fn;
	void *arg;
};

/* ---- list ---- */

static bool mail_of(const redisReply *r, json_t **root, struct inbox_mail *out)
{
	json_t *body;

	*root = r->type == REDIS_REPLY_STRING ? json_loadb(r->str, r->len, 0, NULL) : NULL;
	body = json_object_get(*root, "mail");
	if (!json_is_string(body))
		return false;
	snprintf(out->message, sizeof(out->message), "%s",
		 json_string_value(json_object_get(*root, "message")));
	out->recipient = json_string_value(json_object_get(*root, "recipient"));
	out->sender = json_string_value(json_object_get(*root, "sender"));
	out->received_ms = json_integer_value(json_object_get(*root, "received_ms"));
	out->mail = json_string_value(body);
	out->mail_len = json_string_length(body);
	return out->recipient && out->sender;
}

static void on_list(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct look *l = arg;
	size_t n = end == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
	struct inbox_mail *mails = calloc(n + 1, sizeof(*mails));
	json_t **roots = calloc(n + 1, sizeof(json_t *));
	size_t good = 0;

	if (!mails || !roots)
		abort();
	for (size_t i = 0; i < n; i++)
		if (mail_of(reply->element[i], &roots[i], &mails[good]))
			good++;
	l->fn(mails, good, end == CALL_ANSWERED ? NULL : why, l->arg);
	for (size_t i = 0; i < n; i++)
		json_decref(roots[i]);
	free(mails);
	free(roots);
	free(l);
}

void inbox_list(struct redis *redis, const char *project, const char *recipient, size_t limit,
		inbox_fn *fn, void *arg)
{
	struct look *l = calloc(1, sizeof(*l));
	struct command c = {0};

	if (!l)
		abort();
	*l = (struct look){redis, fn, arg};
	command_start(&c, "LRANGE");
	command_key(&c, PARTITION, "in:%s:%s", project, recipient);
	command_num(&c, 0);
	command_num(&c, (int64_t)limit - 1);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_list, l);
}

/* ---- wait ---- */

struct waiter {
	struct waiter *next;
	struct waits *all;
	char project[12];
	char recipient[256];
	size_t limit;
	int64_t until_ms;
	bool is_asking;
	bool ask_again; /* something came while it was asking */
	inbox_fn *fn;
	void *arg;
};

struct waits {
	struct redis *redis;
	struct waiter *first;
	size_t n;
	struct loop_timer poll;
	int64_t poll_at; /* monotonic ms; 0 = not planned */
};

static void ask(struct waiter *w);

/* The next look at all: within POLL_MS, and when the first waiter's time is up. One that is planned
 * stays, however many waiters come meanwhile. */
static void plan_poll(struct waits *all)
{
	int64_t now = clock_mono_ms(), at = now + POLL_MS;

	for (const struct waiter *w = all->first; w; w = w->next)
		if (w->until_ms > now && w->until_ms < at)
			at = w->until_ms;
	if (!all->first || (all->poll_at && all->poll_at <= at))
		return;
	all->poll_at = at;
	loop_timer_set(&all->poll, at - now);
}

static void poll_all(void *arg)
{
	struct waits *all = arg;

	for (struct waiter *w = all->first; w; w = w->next)
		ask(w);
	all->poll_at = 0;
	plan_poll(all);
}

/* "<project> <recipient>", or NULL: look at all. */
static void on_publish(const char *text, size_t len, void *arg)
{
	struct waits *all = arg;
	char line[300];

	for (struct waiter *w = all->first; w; w = w->next) {
		int n = snprintf(line, sizeof(line), "%s %s", w->project, w->recipient);

		if (!text || (n >= 0 && (size_t)n == len && memcmp(line, text, len) == 0))
			ask(w);
	}
}

static void *waits_new(struct redis *redis)
{
	struct waits *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->redis = redis;
	if (loop_timer_init(&all->poll, redis_loop(redis), poll_all, all) < 0) {
		free(all);
		return NULL;
	}
	redis_subscribe(redis, "inbox", on_publish, all);
	return all;
}

static void waits_free(void *state)
{
	struct waits *all = state;

	while (all->first) {
		struct waiter *w = all->first;

		all->first = w->next;
		free(w);
	}
	loop_timer_deinit(&all->poll);
	free(all);
}

static void end_wait(struct waiter *w, const struct inbox_mail *mails, size_t n,
		     const struct err *why)
{
	struct waiter **p = &w->all->first;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	w->all->n--;
	w->fn(mails, n, why, w->arg);
	free(w);
}

static void waits_abandon(void *state)
{
	struct waits *all = state;
	struct err why;

	err_set(&why, ERR_RETRY, "the process ends");
	while (all->first)
		end_wait(all->first, NULL, 0, &why);
}

static const struct redis_part_kind waits_kind = {
	.make = waits_new, .abandon = waits_abandon, .free_fn = waits_free};

static void on_looked(const struct inbox_mail *mails, size_t n, const struct err *why, void *arg)
{
	struct waiter *w = arg;

	w->is_asking = false;
	if (n == 0 && clock_mono_ms() < w->until_ms && (!why || why->kind == ERR_RETRY)) {
		if (w->ask_again)
			ask(w);
		return;
	}
	end_wait(w, mails, n, why);
}

static void ask(struct waiter *w)
{
	w->ask_again = w->is_asking;
	if (w->is_asking)
		return;
	w->is_asking = true;
	inbox_list(w->all->redis, w->project, w->recipient, w->limit, on_looked, w);
}

void inbox_wait(struct redis *redis, const char *project, const char *recipient, size_t limit,
		int64_t wait_ms, inbox_fn *fn, void *arg)
{
	struct waits *all = redis_part(redis, &waits_kind);
	struct waiter *w;

	if (!all || wait_ms <= 0 || all->n >= WAITERS_MAX) {
		inbox_list(redis, project, recipient, limit, fn, arg);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->all = all;
	snprintf(w->project, sizeof(w->project), "%s", project);
	snprintf(w->recipient, sizeof(w->recipient), "%s", recipient);
	w->limit = limit;
	w->until_ms = clock_mono_ms() + (wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms);
	w->fn = fn;
	w->arg = arg;
	w->next = all->first;
	all->first = w;
	all->n++;
	ask(w);
	plan_poll(all);
}

/* ---- put ---- */

struct put {
	inbox_done_fn *fn;
	void *arg;
};

static void on_put(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct put *p = arg;

	(void)reply;
	p->fn(end == CALL_ANSWERED ? NULL : why, p->arg);
	free(p);
}

void inbox_put(struct redis *redis, const char *project, const struct inbox_mail *m,
	       inbox_done_fn *fn, void *arg)
{
	size_t len = m->mail_len > MAIL_BYTES ? MAIL_BYTES : m->mail_len;
	json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:s%}", "message", m->message, "recipient",
				 m->recipient, "sender", m->sender, "received_ms",
				 (json_int_t)m->received_ms, "mail", m->mail, len);
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	struct put *p = calloc(1, sizeof(*p));
	struct command c = {0};

	if (!p)
		abort();
	*p = (struct put){fn, arg};
	command_script(&c, SCRIPT_INBOX, PARTITION);
	command_str(&c, project);
	command_str(&c, m->recipient);
	command_str(&c, text ? text : "{}"); /* bytes that are no UTF-8: an entry nobody can read */
	command_str(&c, MAILS_MAX);
	command_str(&c, LIFE_S);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_put, p);
	free(text);
	json_decref(root);
}

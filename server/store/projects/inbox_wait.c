/* The test inbox: waits for the first mail. */
#define _GNU_SOURCE /* memmem */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_keys.h"
#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/redis/redis.h"
#include "server/store/projects/inbox.h"

#define WAITERS_MAX 1000
#define WAIT_MAX_MS 60000
#define POLL_MS 1000

struct waiter {
	struct waiter *next;
	struct waits *all;
	char project[12];
	char name[INBOX_RECIPIENT_MAX];
	bool is_of_all;
	size_t limit;
	int64_t since_ms, until_ms;
	bool is_asking;
	bool ask_again; /* a mail was received while it was reading */
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

/* The next poll is within POLL_MS, and not later than the end of the first waiter. A planned poll
 * stays when waiters are added. */
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

/* text: the project, and the recipients of a new mail, a line each. */
static bool waits_for(const struct waiter *w, const char *text, size_t len)
{
	size_t project_len = strlen(w->project);
	char line[INBOX_RECIPIENT_MAX + 2];

	if (len <= project_len || memcmp(text, w->project, project_len) != 0 ||
	    text[project_len] != '\n')
		return false;
	if (w->is_of_all)
		return true;
	snprintf(line, sizeof(line), "\n%s\n", w->name);
	return memmem(text + project_len, len - project_len, line, strlen(line)) != NULL;
}

/* text NULL: poll all. */
static void on_publish(const char *text, size_t len, void *arg)
{
	struct waits *all = arg;

	for (struct waiter *w = all->first; w; w = w->next)
		if (!text || waits_for(w, text, len))
			ask(w);
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
	redis_subscribe(redis, KEY_INBOX_NEWS, on_publish, all);
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

static void end_wait(struct waiter *w, const struct inbox_page *page, const struct err *why)
{
	struct waiter **p = &w->all->first;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	w->all->n--;
	w->fn(page, why, w->arg);
	free(w);
}

static void waits_abandon(void *state)
{
	struct waits *all = state;
	struct err why;

	err_set(&why, ERR_RETRY, "the process is stopping");
	while (all->first)
		end_wait(all->first, NULL, &why);
}

static const struct redis_part_kind waits_kind = {
	.make = waits_new, .abandon = waits_abandon, .free_fn = waits_free};

static void on_looked(const struct inbox_page *page, const struct err *why, void *arg)
{
	struct waiter *w = arg;

	w->is_asking = false;
	if ((!page || page->n == 0) && clock_mono_ms() < w->until_ms &&
	    (!why || why->kind == ERR_RETRY)) {
		if (w->ask_again)
			ask(w);
		return;
	}
	end_wait(w, page, why);
}

static void ask(struct waiter *w)
{
	w->ask_again = w->is_asking;
	if (w->is_asking)
		return;
	w->is_asking = true;
	inbox_list(w->all->redis,
		   &(struct inbox_query){.project = w->project,
					 .recipient = w->is_of_all ? NULL : w->name,
					 .limit = w->limit,
					 .since_ms = w->since_ms},
		   on_looked, w);
}

static void waiter_init(struct waiter *w, const struct inbox_query *q, int64_t wait_ms)
{
	snprintf(w->project, sizeof(w->project), "%s", q->project);
	inbox_write_name(q->recipient, w->name);
	w->is_of_all = !q->recipient;
	w->limit = q->limit;
	w->since_ms = q->since_ms;
	w->until_ms = clock_mono_ms() + (wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms);
}

void inbox_wait(struct redis *redis, const struct inbox_query *q, int64_t wait_ms, inbox_fn *fn,
		void *arg)
{
	struct waits *all = redis_part(redis, &waits_kind);
	struct waiter *w;

	w = all && wait_ms > 0 && all->n < WAITERS_MAX ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		inbox_list(redis, q, fn, arg);
		return;
	}
	waiter_init(w, q, wait_ms);
	w->all = all;
	w->fn = fn;
	w->arg = arg;
	w->next = all->first;
	all->first = w;
	all->n++;
	ask(w);
	plan_poll(all);
}

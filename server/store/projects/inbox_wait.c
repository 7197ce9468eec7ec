/* The test inbox: waits for the first mail. */
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
#define CHAINS 1024 /* a power of two */

struct waiter {
	struct waiter *next; /* of its chain */
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
	struct waiter *chains[CHAINS]; /* by project and name */
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

	for (size_t i = 0; all->n && i < CHAINS; i++)
		for (const struct waiter *w = all->chains[i]; w; w = w->next)
			if (w->until_ms > now && w->until_ms < at)
				at = w->until_ms;
	if (!all->n || (all->poll_at && all->poll_at <= at))
		return;
	all->poll_at = at;
	loop_timer_set(&all->poll, at - now);
}

static void ask_all(struct waits *all)
{
	for (size_t i = 0; all->n && i < CHAINS; i++)
		for (struct waiter *w = all->chains[i]; w; w = w->next)
			ask(w);
}

static void poll_all(void *arg)
{
	struct waits *all = arg;

	ask_all(all);
	all->poll_at = 0;
	plan_poll(all);
}

/* FNV-1a, seeded with h. */
static uint32_t hash_text(uint32_t h, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 16777619u;
	return h;
}

/* name: "" for waiters of all recipients. */
static struct waiter **chain_of(struct waits *all, const char *project, size_t project_len,
				const char *name, size_t name_len)
{
	uint32_t h = hash_text(2166136261u, project, project_len);

	return &all->chains[hash_text(hash_text(h, "\n", 1), name, name_len) & (CHAINS - 1)];
}

static bool is_text(const char *text, const char *bytes, size_t len)
{
	return strlen(text) == len && memcmp(text, bytes, len) == 0;
}

static void ask_for(struct waits *all, const char *project, size_t project_len, const char *name,
		    size_t name_len)
{
	struct waiter *w = *chain_of(all, project, project_len, name, name_len);

	for (; w; w = w->next)
		if (is_text(w->project, project, project_len) && is_text(w->name, name, name_len))
			ask(w);
}

/* text: the project, and the recipients of a new mail, a line each. NULL: ask for all. */
static void on_publish(unsigned partition, const char *text, size_t len, void *arg)
{
	struct waits *all = arg;
	const char *end = text ? memchr(text, '\n', len) : NULL, *line;
	size_t project_len;

	(void)partition;
	if (!text)
		ask_all(all);
	if (!end)
		return;
	project_len = (size_t)(end - text);
	ask_for(all, text, project_len, "", 0);
	for (line = end + 1; (end = memchr(line, '\n', len - (size_t)(line - text)));
	     line = end + 1)
		ask_for(all, text, project_len, line, (size_t)(end - line));
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

	for (size_t i = 0; i < CHAINS; i++)
		for (struct waiter *w = all->chains[i], *next; w; w = next) {
			next = w->next;
			free(w);
		}
	loop_timer_deinit(&all->poll);
	free(all);
}

static struct waiter **chain_of_waiter(const struct waiter *w)
{
	return chain_of(w->all, w->project, strlen(w->project), w->name, strlen(w->name));
}

static void end_wait(struct waiter *w, const struct inbox_page *page, const struct err *why)
{
	struct waiter **p = chain_of_waiter(w);

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
	for (size_t i = 0; i < CHAINS; i++)
		while (all->chains[i])
			end_wait(all->chains[i], NULL, &why);
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
	w->is_of_all = !q->recipient;
	if (q->recipient)
		inbox_write_name(q->recipient, w->name);
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
	w->next = *chain_of_waiter(w);
	*chain_of_waiter(w) = w;
	all->n++;
	ask(w);
	plan_poll(all);
}

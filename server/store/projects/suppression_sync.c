/* Brings suppressions by bounces from one partition to all others. */
#include "server/store/projects/suppression_sync.h"

#include <stdlib.h>

#include "server/redis/call.h"
#include "server/redis/redis.h"

#define NEWS_MAX 100
#define WORDS 3 /* an entry has: mode:project, address, JSON */

struct spread {
	struct redis *redis;
	unsigned home;
	struct command words; /* all entries, as arguments */
	size_t n;             /* entries */
	unsigned open;        /* partitions that have not answered */
	bool has_failed;
	suppression_sync_fn *fn;
	void *arg;
};

static void end(struct spread *s)
{
	s->fn(s->n == NEWS_MAX && !s->has_failed, s->arg);
	command_deinit(&s->words);
	free(s);
}

static void send(struct spread *s, unsigned partition, enum script script, plain_fn *fn)
{
	struct command c = {0};

	command_script(&c, script, partition);
	command_append(&c, &s->words);
	redis_call_plain(s->redis, &c, 0, 0, fn, s);
}

static void on_done(enum call_end how, const redisReply *r, const struct err *why, void *arg)
{
	struct spread *s = arg;

	(void)r;
	(void)why;
	s->has_failed |= how != CALL_ANSWERED;
	end(s);
}

static void on_copied(enum call_end how, const redisReply *r, const struct err *why, void *arg)
{
	struct spread *s = arg;

	(void)r;
	(void)why;
	s->has_failed |= how != CALL_ANSWERED;
	if (--s->open)
		return;
	if (s->has_failed)
		end(s); /* they stay news */
	else
		send(s, s->home, SCRIPT_SUPPRESSION_COPIED, on_done);
}

static void copy(struct spread *s)
{
	unsigned n = redis_partitions(s->redis);

	s->open = n - 1;
	for (unsigned p = 0; p < n; p++)
		if (p != s->home)
			send(s, p, SCRIPT_SUPPRESSION_COPY, on_copied);
	if (n == 1)
		send(s, s->home, SCRIPT_SUPPRESSION_COPIED, on_done);
}

static void on_news(enum call_end how, const redisReply *r, const struct err *why, void *arg)
{
	struct spread *s = arg;

	(void)why;
	if (how == CALL_ANSWERED && r->type == REDIS_REPLY_ARRAY)
		s->n = r->elements / WORDS;
	command_args(&s->words);
	for (size_t i = 0; i < s->n * WORDS; i++)
		command_arg(&s->words, r->element[i]->str, r->element[i]->len);
	if (s->n)
		copy(s);
	else
		end(s);
}

void suppression_sync_run(struct redis *redis, unsigned partition, suppression_sync_fn *fn,
			  void *arg)
{
	struct spread *s = calloc(1, sizeof(*s));
	struct command c = {0};

	if (!s)
		abort();
	*s = (struct spread){.redis = redis, .home = partition, .fn = fn, .arg = arg};
	command_script(&c, SCRIPT_SUPPRESSION_NEWS, partition);
	command_num(&c, NEWS_MAX);
	redis_call_plain(redis, &c, 0, 0, on_news, s);
}

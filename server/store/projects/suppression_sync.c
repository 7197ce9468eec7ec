/* Copies suppressions that bounces added from one partition to all others. */
#include "server/store/projects/suppression_sync.h"

#include <stdlib.h>

#include "lua_calls.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"

#define NEWS_MAX 100

/* The entries of the reply are the arguments of the other two transitions. */
#define WORDS SUPPRESSION_NEWS_ENTRY_WORDS

/* The context of the first call. */
struct run {
	struct redis *redis;
	unsigned home;
	suppression_sync_fn *fn;
	void *arg;
};

/* The copies under way. */
struct sync {
	struct run run;
	struct command words; /* all entries, as arguments */
	size_t n;             /* entries */
	struct call_group calls;
};

static void end_sync(struct sync *s)
{
	s->run.fn(s->n == NEWS_MAX && !s->calls.has_failed, s->run.arg);
	command_deinit(&s->words);
	free(s);
}

static void send_words(struct sync *s, unsigned partition,
		       void (*script)(struct command *c, unsigned partition), call_fn *fn)
{
	struct command c = {0};

	script(&c, partition);
	command_append(&c, &s->words);
	s->calls.n_open++;
	redis_call(s->run.redis, &c, 0, 0, CALLBACK(fn, s));
}

static void on_done(const struct call_result *result, void *context)
{
	struct sync *s = context;

	call_group_end(&s->calls, result);
	end_sync(s);
}

static void on_copied(const struct call_result *result, void *context)
{
	struct sync *s = context;

	if (!call_group_end(&s->calls, result))
		return;
	if (s->calls.has_failed)
		end_sync(s); /* the entries stay new */
	else
		send_words(s, s->run.home, script_suppression_copied, on_done);
}

static void copy_to_others(struct sync *s)
{
	unsigned n = redis_partitions(s->run.redis);

	for (unsigned p = 0; p < n; p++)
		if (p != s->run.home)
			send_words(s, p, script_suppression_copy, on_copied);
	if (n == 1)
		send_words(s, s->run.home, script_suppression_copied, on_done);
}

static void on_news(const struct call_result *result, void *context)
{
	const struct run *run = context;
	size_t n = resp_count(result->reply) / WORDS;
	struct sync *s = n ? calloc(1, sizeof(*s)) : NULL;

	if (!s) {
		run->fn(false, run->arg);
		return;
	}
	s->run = *run;
	s->n = n;
	command_args(&s->words);
	for (size_t i = 0; i < n * WORDS; i++)
		command_arg(&s->words, resp_text(resp_item(result->reply, i)),
			    resp_len(resp_item(result->reply, i)));
	copy_to_others(s);
}

void suppression_sync_run(struct redis *redis, unsigned partition, suppression_sync_fn *fn,
			  void *arg)
{
	struct run run = {redis, partition, fn, arg};
	struct command c = {0};

	script_suppression_news(&c, partition, &(struct script_suppression_news){.most = NEWS_MAX});
	redis_call(redis, &c, 0, 0, CALLBACK_COPY(on_news, run));
}

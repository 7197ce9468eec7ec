/* Asks the sentinels where the master is. */
#include "server/redis/link/sentinel.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/number.h"
#include "server/redis/link/command.h"
#include "server/redis/link/question.h"

struct sentinel {
	struct question question;
	struct sentinel_events events;
	unsigned at; /* the sentinel that is asked first */
};

static void next_with(struct question *q, const char *before, const char *why, const char *after)
{
	char text[300];

	snprintf(text, sizeof(text), "%s%s%s", before, why, after);
	question_next(q, text);
}

static bool read_master(const redisReply *r, struct redis_host *master)
{
	int64_t port;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || !r->element[0]->str ||
	    !r->element[1]->str || r->element[0]->len >= sizeof(master->name) ||
	    number_parse(r->element[1]->str, r->element[1]->len, 1, 65535, &port) < 0)
		return false;
	*master = (struct redis_host){.port = (int)port};
	memcpy(master->name, r->element[0]->str, r->element[0]->len);
	return true;
}

static void on_reply(const redisReply *r, void *arg)
{
	struct question *q = arg;
	struct sentinel *s;
	struct redis_host master;

	if (!r)
		return; /* question_next() follows, or sentinel_free */
	s = q->arg;
	if (r->type == REDIS_REPLY_ERROR && strstr(r->str, "unknown command")) {
		question_next(q, "this is a Redis, and no sentinel (the port of a sentinel is "
				 "often 26379)");
	} else if (r->type == REDIS_REPLY_ERROR) {
		question_refused(q, r->str);
	} else if (r->type == REDIS_REPLY_NIL) {
		next_with(q, "the sentinel has no master with the name ", q->url->service,
			  ": check the end of POSTERN_REDIS_URL");
	} else if (!read_master(r, &master)) {
		question_next(q, "unexpected reply to SENTINEL get-master-addr-by-name");
	} else {
		s->at = q->at;
		question_end(q);
		s->events.on_master(&master, s->events.arg);
	}
}

static void ask(struct question *q)
{
	struct command c = {0};

	command_start(&c, "SENTINEL");
	command_str(&c, "get-master-addr-by-name");
	command_str(&c, q->url->service);
	(void)question_send(q, &c, on_reply);
}

static void on_failed(struct question *q, const char *why)
{
	struct sentinel *s = q->arg;

	s->events.on_failed(why, s->events.arg);
}

static const struct question_kind kind = {.server = "sentinel", .ask = ask, .on_failed = on_failed};

void sentinel_ask(struct sentinel *s)
{
	const struct redis_url *url = s->question.url;

	question_start(&s->question, url->hosts, url->n_hosts, s->at);
}

void sentinel_distrust(struct sentinel *s)
{
	s->at = (s->at + 1) % s->question.url->n_hosts;
}

struct sentinel *sentinel_new(struct loop *loop, const struct redis_url *url,
			      struct tls_context *tls, const struct sentinel_events *events)
{
	struct sentinel *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->events = *events;
	if (question_init(&s->question, loop, url, tls, &kind, s) == 0)
		return s;
	sentinel_free(s);
	return NULL;
}

void sentinel_free(struct sentinel *s)
{
	if (!s)
		return;
	question_deinit(&s->question);
	free(s);
}

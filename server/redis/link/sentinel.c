/* Asks the sentinels where the master is. */
#include "server/redis/link/sentinel.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/loop.h"
#include "server/base/number.h"
#include "server/redis/link/command.h"
#include "server/redis/link/dial.h"
#include "server/redis/link/pipeline.h"

#define CONNECT_MS 1000
#define REPLY_MS 1000

struct sentinel {
	struct loop *loop;
	const struct redis_url *url;
	struct sentinel_events events;
	struct dial dial;
	struct pipeline *pipeline; /* NULL = the stream is not open yet */
	struct loop_timer timer;   /* the next sentinel, or the limit of a reply */
	unsigned at, tried;
	bool is_asking; /* a question is open */
	bool is_asked;  /* this sentinel has it */
	bool has_sent_password;
	char why[400]; /* why of each sentinel, "; " between them */
};

static void close_stream(struct sentinel *s)
{
	struct pipeline *pipeline = s->pipeline;

	s->pipeline = NULL;
	s->is_asked = false;
	loop_timer_cancel(&s->timer);
	pipeline_free(pipeline);
	dial_close(&s->dial);
}

/* This sentinel is of no use: the next one follows. */
static void next(struct sentinel *s, const char *why)
{
	char host[REDIS_HOST_TEXT_MAX];
	size_t len = strlen(s->why);

	redis_host_text(&s->url->sentinels[s->at], host);
	snprintf(s->why + len, sizeof(s->why) - len, "%s%s: %s", len ? "; " : "", host, why);
	close_stream(s);
	s->at = (s->at + 1) % s->url->n_sentinels;
	s->tried++;
	loop_timer_set(&s->timer, 0);
}

static void next_with(struct sentinel *s, const char *before, const char *why, const char *after)
{
	char text[300];

	snprintf(text, sizeof(text), "%s%s%s", before, why, after);
	next(s, text);
}

static void on_broken(const char *why, void *arg)
{
	next(arg, why);
}

/* ---- the question ---- */

static bool send_command(struct sentinel *s, struct command *take, reply_fn *fn)
{
	bool is_sent = pipeline_send_command(s->pipeline, take, fn, s);

	if (!is_sent)
		next(s, "out of memory");
	return is_sent;
}

static void ask(struct sentinel *s);

static void on_auth(const redisReply *r, void *arg)
{
	if (r && r->type == REDIS_REPLY_ERROR)
		next_with(arg, "the sentinel refuses the password of POSTERN_REDIS_URL: ", r->str,
			  "");
}

static void on_error(struct sentinel *s, const char *text)
{
	bool wants_password = strncmp(text, "NOAUTH", 6) == 0;
	struct command c = {0};

	if (wants_password && *s->url->password && !s->has_sent_password) {
		s->has_sent_password = true;
		command_auth(&c, s->url->user, s->url->password);
		if (send_command(s, &c, on_auth))
			ask(s);
		return;
	}
	if (wants_password)
		next(s, "the sentinel wants a password: write redis+sentinel://user:password@...");
	else if (strstr(text, "unknown command"))
		next(s, "this is a Redis, and no sentinel (the port of a sentinel is often 26379)");
	else
		next(s, text);
}

static void on_reply(const redisReply *r, void *arg)
{
	struct sentinel *s = arg;
	struct redis_host master = {0};
	int64_t port;

	if (!r)
		return; /* next() follows, or sentinel_free */
	if (r->type == REDIS_REPLY_ERROR) {
		on_error(s, r->str);
		return;
	}
	if (r->type == REDIS_REPLY_NIL) {
		next_with(s, "the sentinel has no master with the name ", s->url->service,
			  ": check the end of POSTERN_REDIS_URL");
		return;
	}
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || !r->element[0]->str ||
	    !r->element[1]->str || r->element[0]->len >= sizeof(master.name) ||
	    number_parse(r->element[1]->str, r->element[1]->len, 1, 65535, &port) < 0) {
		next(s, "unexpected reply to SENTINEL get-master-addr-by-name");
		return;
	}
	memcpy(master.name, r->element[0]->str, r->element[0]->len);
	master.port = (int)port;
	close_stream(s);
	s->is_asking = false;
	s->events.on_master(&master, s->events.arg);
}

static void ask(struct sentinel *s)
{
	struct command c = {0};

	command_start(&c, "SENTINEL");
	command_str(&c, "get-master-addr-by-name");
	command_str(&c, s->url->service);
	(void)send_command(s, &c, on_reply);
}

static void on_open(struct stream *stream, void *arg)
{
	struct sentinel *s = arg;

	s->has_sent_password = false;
	s->pipeline = pipeline_new(s->loop, stream, on_broken, s);
	if (!s->pipeline) {
		next(s, "out of memory");
		return;
	}
	s->is_asked = true;
	loop_timer_set(&s->timer, REPLY_MS);
	ask(s);
}

static void on_moved(void *arg)
{
	struct sentinel *s = arg;

	if (s->pipeline)
		pipeline_move(s->pipeline);
}

/* ---- one after the other ---- */

static void on_timer(void *arg)
{
	struct sentinel *s = arg;

	if (s->is_asked) {
		next(s, "no reply within 1 s");
	} else if (s->tried < s->url->n_sentinels) {
		dial_start(&s->dial, "", &s->url->sentinels[s->at], CONNECT_MS);
	} else {
		s->is_asking = false;
		s->events.on_failed(s->why, s->events.arg);
	}
}

void sentinel_ask(struct sentinel *s)
{
	if (s->is_asking)
		return;
	s->is_asking = true;
	s->tried = 0;
	s->why[0] = 0;
	loop_timer_set(&s->timer, 0);
}

void sentinel_distrust(struct sentinel *s)
{
	if (!s->is_asking)
		s->at = (s->at + 1) % s->url->n_sentinels;
}

/* ---- life ---- */

struct sentinel *sentinel_new(struct loop *loop, const struct redis_url *url,
			      struct tls_context *tls, const struct sentinel_events *events)
{
	struct sentinel *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	s->url = url;
	s->events = *events;
	if (dial_init(&s->dial, loop, tls,
		      &(struct dial_events){on_open, on_moved, on_broken, s}) == 0 &&
	    loop_timer_init(&s->timer, loop, on_timer, s) == 0)
		return s;
	dial_deinit(&s->dial);
	free(s);
	return NULL;
}

void sentinel_free(struct sentinel *s)
{
	if (!s)
		return;
	close_stream(s);
	loop_timer_deinit(&s->timer);
	dial_deinit(&s->dial);
	free(s);
}

/* Asks one server after the other. */
#include "server/redis/link/question.h"

#include <stdio.h>
#include <string.h>

#include "server/redis/link/command.h"
#include "server/redis/link/hint.h"

#define CONNECT_MS 1000
#define REPLY_MS 1000

static void close_stream(struct question *q)
{
	struct pipeline *pipeline = q->pipeline;

	q->pipeline = NULL;
	q->is_asked = false;
	loop_timer_cancel(&q->timer);
	pipeline_free(pipeline);
	dial_close(&q->dial);
}

void question_next(struct question *q, const char *why)
{
	bool has_replied = q->pipeline && pipeline_has_replied(q->pipeline);
	const char *hint = hint_about_tls(why, q->url->is_tls, has_replied);
	char host[REDIS_HOST_TEXT_MAX];
	size_t len = strlen(q->why);

	redis_host_text(question_host(q), host);
	snprintf(q->why + len, sizeof(q->why) - len, "%s%s: %s%s%s%s", len ? "; " : "", host, why,
		 hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
	close_stream(q);
	q->at = (q->at + 1) % q->n_hosts;
	q->tried++;
	loop_timer_set(&q->timer, 0);
}

static void on_broken(const char *why, void *arg)
{
	question_next(arg, why);
}

bool question_send(struct question *q, struct command *take, reply_fn *fn)
{
	bool is_sent = pipeline_send_command(q->pipeline, take, fn, q);

	if (!is_sent)
		question_next(q, "out of memory");
	return is_sent;
}

/* ---- the password ---- */

static void on_auth(const redisReply *r, void *arg)
{
	struct question *q = arg;
	char why[300];

	if (!r || r->type != REDIS_REPLY_ERROR)
		return;
	snprintf(why, sizeof(why), "the %s refuses the password of POSTERN_REDIS_URL: %s",
		 q->kind->server, r->str);
	question_next(q, why);
}

static bool send_password(struct question *q)
{
	struct command c = {0};

	q->has_sent_password = true;
	command_auth(&c, q->url->user, q->url->password);
	return question_send(q, &c, on_auth);
}

void question_refused(struct question *q, const char *error)
{
	bool wants_password = strncmp(error, "NOAUTH", 6) == 0;
	char why[160];

	if (wants_password && *q->url->password && !q->has_sent_password) {
		if (send_password(q))
			q->kind->ask(q);
		return;
	}
	snprintf(why, sizeof(why),
		 "the %s wants a password: write user:password@ before the hosts of "
		 "POSTERN_REDIS_URL",
		 q->kind->server);
	question_next(q, wants_password ? why : error);
}

/* ---- one after the other ---- */

static void on_open(struct stream *stream, void *arg)
{
	struct question *q = arg;

	q->has_sent_password = false;
	q->pipeline = pipeline_new(q->loop, stream, on_broken, q);
	if (!q->pipeline) {
		question_next(q, "out of memory");
		return;
	}
	q->is_asked = true;
	loop_timer_set(&q->timer, REPLY_MS);
	if (!q->kind->has_our_password || !*q->url->password || send_password(q))
		q->kind->ask(q);
}

static void on_moved(void *arg)
{
	struct question *q = arg;

	if (q->pipeline)
		pipeline_move(q->pipeline);
}

static void on_timer(void *arg)
{
	struct question *q = arg;

	if (q->is_asked) {
		question_next(q, "no reply within 1 s");
	} else if (q->tried < q->n_hosts) {
		dial_start(&q->dial, "", question_host(q), CONNECT_MS);
	} else {
		q->is_open = false;
		q->kind->on_failed(q, q->why);
	}
}

void question_start(struct question *q, const struct redis_host *hosts, unsigned n, unsigned first)
{
	if (q->is_open)
		return;
	q->is_open = true;
	q->hosts = hosts;
	q->n_hosts = n;
	q->at = first % n;
	q->tried = 0;
	q->why[0] = 0;
	loop_timer_set(&q->timer, 0);
}

const struct redis_host *question_host(const struct question *q)
{
	return &q->hosts[q->at];
}

void question_end(struct question *q)
{
	close_stream(q);
	q->is_open = false;
}

/* ---- life ---- */

int question_init(struct question *q, struct loop *loop, const struct redis_url *url,
		  struct tls_context *tls, const struct question_kind *kind, void *arg)
{
	*q = (struct question){.kind = kind, .url = url, .arg = arg, .loop = loop};
	if (dial_init(&q->dial, loop, tls, &(struct dial_events){on_open, on_moved, on_broken, q}) <
	    0)
		return -1;
	return loop_timer_init(&q->timer, loop, on_timer, q);
}

void question_deinit(struct question *q)
{
	close_stream(q);
	loop_timer_deinit(&q->timer);
	dial_deinit(&q->dial);
}

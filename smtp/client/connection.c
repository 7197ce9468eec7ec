/* One SMTP client connection: moves octets between session and stream, keeps the deadlines, calls
 * its owner. */
#include "smtp/client/connection.h"

#include <stdlib.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/stream/stream.h"
#include "smtp/client/connection_facts.h"
#include "smtp/client/session.h"
#include "smtp/client/transcript.h"

#define PIECES 32 /* at most, of one write */

struct connection {
	struct stream *stream;
	struct session *session;
	struct loop_timer timer;
	struct loop_post post;
	struct connection_callbacks callbacks;
	void *arg;
	struct connection_facts facts;
	struct tls_context *tls_context;
	struct transcript *transcript;
	bool is_strict;
	bool is_handshaking;
	bool is_pumping;
	bool has_sent;
	unsigned armed_turn, called_turn; /* session_turn() when it was armed, the owner called */
	int64_t opened_ms, armed_ms;      /* armed: the timer was set */
};

static int64_t since_open(const struct connection *c)
{
	return clock_mono_ms() - c->opened_ms;
}

/* The deadline of a stage begins with the stage. Octets that arrive do not extend it. */
static void arm_timer(struct connection *c)
{
	int wait_s = session_wait_s(c->session);

	if (c->armed_turn == session_turn(c->session))
		return;
	c->armed_turn = session_turn(c->session);
	c->armed_ms = clock_mono_ms();
	if (wait_s > 0)
		loop_timer_set(&c->timer, (int64_t)wait_s * 1000);
	else
		loop_timer_cancel(&c->timer);
}

static void read_input(struct connection *c)
{
	char bytes[4096];
	ssize_t n;

	do {
		enum session_step step = session_step(c->session);

		if (step == SESSION_SECURE || step == SESSION_CLOSE)
			return;
		n = stream_read(c->stream, bytes, sizeof(bytes));
		if (n > 0)
			session_hear(c->session, bytes, (size_t)n);
	} while (n > 0 && stream_has_more(c->stream, (size_t)n, sizeof(bytes)));
	if (n < 0)
		session_lost(c->session, stream_why(c->stream));
}

/* Writes the output of the session. If that fails, an unread reply may say why. */
static void write_output(struct connection *c)
{
	struct iovec pieces[PIECES];
	size_t n;

	while ((n = session_pieces(c->session, pieces, PIECES)) > 0) {
		ssize_t wrote = stream_write(c->stream, pieces, n);

		if (wrote < 0) {
			read_input(c);
			session_lost(c->session, stream_why(c->stream));
		}
		if (wrote <= 0)
			return;
		session_wrote(c->session, (size_t)wrote);
	}
}

void connection_free(struct connection *c)
{
	if (!c)
		return;
	loop_timer_deinit(&c->timer);
	loop_post_deinit(&c->post);
	stream_free(c->stream);
	session_free(c->session);
	free(c);
}

static void note_stage(struct connection *c)
{
	c->facts.stage = session_stage(c->session);
	c->facts.phase = session_phase(c->session);
}

static void end_connection(struct connection *c)
{
	const struct connection_result *failure = session_failure(c->session);

	note_stage(c);
	if (failure && c->is_handshaking) {
		c->facts.has_tls_failed = true;
		metric_add(METRIC_TLS_FAILURES, 1);
	}
	c->callbacks.on_closed(c, failure, c->arg);
	connection_free(c);
}

/* True for the first call in a turn of the session, so that each callback is called once. */
static bool is_new_turn(struct connection *c)
{
	if (c->called_turn == session_turn(c->session))
		return false;
	c->called_turn = session_turn(c->session);
	return true;
}

static void start_tls(struct connection *c)
{
	struct err e;

	c->is_handshaking = true;
	if (stream_secure(c->stream, c->tls_context, c->facts.host, c->is_strict, &e) < 0)
		session_lost(c->session, e.text);
}

static void call_ready(struct connection *c)
{
	if (c->facts.ready_ms < 0)
		c->facts.ready_ms = since_open(c);
	c->callbacks.on_ready(c, c->arg);
}

static void call_done(struct connection *c)
{
	size_t n;
	const struct connection_result *results = session_results(c->session, &n);

	c->callbacks.on_done(c, results, n, c->arg);
	session_next(c->session);
}

/* Does the next step of the session. False: nothing to do until the next event. */
static bool take_step(struct connection *c)
{
	enum session_step now = session_step(c->session);

	arm_timer(c);
	if (now == SESSION_WAIT || !is_new_turn(c))
		return false;
	if (now == SESSION_SECURE)
		start_tls(c);
	else if (now == SESSION_READY)
		call_ready(c);
	else if (now == SESSION_FENCE)
		c->callbacks.on_fence(c, c->arg);
	else if (now == SESSION_DONE)
		call_done(c);
	return true;
}

static void pump(struct connection *c)
{
	bool goes_on = true;

	c->is_pumping = true;
	while (goes_on) {
		write_output(c);
		note_stage(c);
		if (session_step(c->session) == SESSION_CLOSE) {
			end_connection(c);
			return;
		}
		goes_on = take_step(c);
	}
	c->is_pumping = false;
}

/* After a call by the owner: writes at once; callbacks wait for the loop. */
static void wake(struct connection *c)
{
	write_output(c);
	note_stage(c);
	if (c->is_pumping)
		return;
	if (session_step(c->session) == SESSION_WAIT)
		arm_timer(c);
	else
		loop_post(&c->post);
}

static void on_post(void *arg)
{
	struct connection *c = arg;

	transcript_tick(c->transcript);
	pump(c);
}

static void on_timeout(void *arg)
{
	struct connection *c = arg;

	transcript_tick(c->transcript);
	session_lost(c->session, "timeout");
	pump(c);
}

static void on_secured(struct connection *c)
{
	c->is_handshaking = false;
	c->facts.tls_ms = since_open(c);
	connection_facts_note_tls(&c->facts, stream_tls(c->stream), c->transcript);
	metric_add(METRIC_TLS_SESSIONS, 1);
	session_secured(c->session);
}

static void on_connected(struct connection *c)
{
	c->facts.connect_ms = since_open(c);
	connection_facts_note_source(&c->facts, c->stream, c->transcript);
	session_connected(c->session, c->facts.source_ip);
}

static void handle_event(struct connection *c, enum stream_event event)
{
	switch (event) {
	case STREAM_CONNECTED:
		on_connected(c);
		break;
	case STREAM_SECURED:
		on_secured(c);
		break;
	case STREAM_MOVED:
		read_input(c);
		break;
	case STREAM_FAILED:
		session_lost(c->session, stream_why(c->stream));
		break;
	}
}

static void on_stream(enum stream_event event, void *arg)
{
	struct connection *c = arg;

	transcript_tick(c->transcript);
	/* The owner stopped it: the end is already posted. */
	if (session_step(c->session) != SESSION_CLOSE)
		handle_event(c, event);
	pump(c);
}

/* Everything but stream and session. */
static struct connection *new_connection(struct loop *loop, const struct route_host *host,
					 const struct connection_options *options,
					 const struct connection_callbacks *callbacks, void *arg)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (loop_timer_init(&c->timer, loop, on_timeout, c) < 0 ||
	    loop_post_init(&c->post, loop, on_post, c) < 0) {
		loop_timer_deinit(&c->timer);
		free(c);
		return NULL;
	}
	c->callbacks = *callbacks;
	c->arg = arg;
	c->tls_context = options->tls_context;
	c->is_strict = options->verify && options->tls != ROUTE_TLS_OPPORTUNISTIC;
	c->opened_ms = clock_mono_ms();
	c->transcript = options->transcript;
	connection_describe(host, &c->facts);
	return c;
}

static int start_session(struct connection *c, const struct connection_options *o, struct err *e)
{
	bool is_opportunistic = o->tls == ROUTE_TLS_OPPORTUNISTIC;
	struct session_options options = {
		.helo_name = o->helo_name,
		.is_implicit_tls = o->tls == ROUTE_TLS_IMPLICIT,
		.is_tls_required = !is_opportunistic,
		.may_starttls = o->tls_context && !(is_opportunistic && o->is_clear),
		.user = o->user,
		.password = o->password,
		.may_auth_in_clear = stream_is_local(c->stream),
		.is_mx = o->is_mx,
		.transcript = c->transcript,
	};

	if (session_new(&c->session, &options, e) < 0)
		return -1;
	arm_timer(c);
	return 0;
}

int connection_open(struct connection **out, struct loop *loop, const struct route_host *host,
		    const struct connection_options *options,
		    const struct connection_callbacks *callbacks, void *arg, struct err *e)
{
	struct connection *c = new_connection(loop, host, options, callbacks, arg);

	if (!c)
		return err_oom(e);
	if (stream_open(&c->stream, loop, &host->addr, on_stream, c, e) < 0 ||
	    start_session(c, options, e) < 0) {
		connection_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

int connection_adopt(struct connection **out, struct loop *loop, int fd,
		     const struct connection_options *options,
		     const struct connection_callbacks *callbacks, void *arg, struct err *e)
{
	static const struct route_host local = {.name = "local"};
	struct connection *c = new_connection(loop, &local, options, callbacks, arg);

	if (!c) {
		close(fd);
		return err_oom(e);
	}
	if (stream_adopt(&c->stream, loop, fd, on_stream, c, e) < 0 ||
	    start_session(c, options, e) < 0) {
		connection_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

int connection_send(struct connection *c, const struct connection_mail *mail, struct err *e)
{
	transcript_tick(c->transcript);
	if (c->has_sent)
		transcript_reuse(c->transcript);
	c->has_sent = true;
	if (session_send(c->session, mail, e) < 0)
		return -1;
	wake(c);
	return 0;
}

void connection_dot(struct connection *c)
{
	transcript_tick(c->transcript);
	session_dot(c->session);
	wake(c);
}

void connection_drop(struct connection *c)
{
	transcript_tick(c->transcript);
	session_drop(c->session);
	wake(c);
}

void connection_give_up(struct connection *c, const char *why)
{
	transcript_tick(c->transcript);
	session_give_up(c->session, why);
	wake(c);
}

void connection_quit(struct connection *c)
{
	session_quit(c->session);
	wake(c);
}

int64_t connection_waits_since_ms(const struct connection *c)
{
	return c->armed_ms;
}

const struct connection_facts *connection_facts(const struct connection *c)
{
	return &c->facts;
}

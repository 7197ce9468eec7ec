/* One endpoint: sends it events in the order of its project's log. */
#include "server/hooks/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/events/event.h"
#include "server/hooks/outcome.h"
#include "server/hooks/secret.h"
#include "server/redis/redis.h"
#include "server/store/projects/tenant.h"

#define READS_AT_ONCE 4
#define WAITING_MAX 200   /* posts in memory; later ones wait in the log */
#define RETRIES_MAX 10000 /* with more retries, the log is not read */
#define RETRIES_AT_ONCE 16
#define WINDOW_FIRST 8
#define TESTS_AT_ONCE 2

static void drop_waiting(struct target *t);

void target_close(struct target *t)
{
	t->is_gone = true;
	for (size_t i = 0; i < t->n_feeds; i++)
		t->feeds[i]->is_closed = true;
	drop_waiting(t);
}

static void take_outcome(struct target *t, const struct outcome *outcome)
{
	if (!*outcome->disable_reason || t->is_gone)
		return;
	LOG(LOG_ERROR, "webhook.disabled", LOG_S("webhook", t->endpoint.id),
	    LOG_S("reason", &outcome->disable_reason[0]));
	deliveries_disable(&t->shared->lease.batch, t->endpoint.id, outcome->disable_reason);
	target_close(t);
}

/* ---- sending ---- */

static void land(struct target *t, const struct post *p)
{
	struct post **at = &t->flying;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	t->in_flight--;
	t->tests_in_flight -= p->is_test;
	share_end_post(&t->shared->shares, t->share);
}

static void on_result(struct post *p, enum post_outcome result,
		      const struct fetch_response *response, void *arg)
{
	struct target *t = arg;
	struct outcome outcome;

	land(t, p);
	outcome = outcome_judge(t, p, result, response);
	take_outcome(t, &outcome);
	if (outcome.is_over)
		feed_end_post(t->feeds[p->partition], p->entry);
	if (p->is_retry)
		retries_end(&t->retries);
	post_free(p);
	target_go_on(t);
}

static int send_post(struct target *t, struct post *p)
{
	bool is_overlap = t->old_secret && t->endpoint.old_until_ms > clock_real_ms();
	const struct post_target to = {t->endpoint.url,
				       {t->secret, is_overlap ? t->old_secret : NULL}};

	if (post_send(p, t->shared->fetch, &to, on_result, t) < 0)
		return -1;
	p->next = t->flying;
	t->flying = p;
	t->in_flight++;
	t->tests_in_flight += p->is_test;
	share_begin_post(&t->shared->shares, t->share);
	return 0;
}

static bool has_room(const struct target *t)
{
	return share_has_room(&t->shared->shares, t->share);
}

/* Without room, each endpoint still has one request at a time. */
static bool may_send(const struct target *t)
{
	size_t n = t->in_flight - t->tests_in_flight;

	return n < t->window && (has_room(t) || n == 0);
}

/* Tests do not wait for events, nor do events wait for tests. */
static bool may_send_test(const struct target *t)
{
	return t->tests_in_flight < TESTS_AT_ONCE && (has_room(t) || t->tests_in_flight == 0);
}

static void send_waiting(struct target *t, struct post_list *list,
			 bool (*may)(const struct target *))
{
	struct post *p;

	while ((p = list->first) && may(t)) {
		struct post *next = p->next;

		if (send_post(t, p) < 0)
			return; /* out of memory: tried again in the next turn */
		list->first = next;
		if (!next)
			list->last = &list->first;
		list->n--;
	}
}

void target_send_test(struct target *t, const char *event_id, const char *project_id)
{
	bool is_test_mode = tenant_is_test(t->endpoint.project);
	struct post *p = t->tests.n < ENDPOINT_TESTS_MAX
				 ? post_new_test(event_id, project_id, is_test_mode)
				 : NULL;

	if (!p) {
		deliveries_refuse_test(&t->shared->lease.batch, t->endpoint.id, event_id);
		return;
	}
	post_list_add(&t->tests, p);
	send_waiting(t, &t->tests, may_send_test);
}

/* ---- posts of the log ---- */

static bool wants(const struct target *t, const char *type)
{
	const json_t *filter;
	size_t i;

	json_array_foreach (t->endpoint.events, i, filter) {
		if (event_filter_fits(json_string_value(filter), type))
			return true;
	}
	return false;
}

/* position: for the event's cursor, as GET /v1/events shows it. */
static struct post *make_post(const struct target *t, const char *message,
			      const struct record *record, const struct record_event *event,
			      const struct event_cursor *position)
{
	struct post_about about = {message, t->project_id, NULL};
	struct buf cursor = {0};
	struct post *p;

	event_cursor_write(position, &cursor);
	about.cursor = buf_text(&cursor);
	p = post_new(&about, record, event);
	buf_deinit(&cursor);
	return p;
}

static struct post *make_wanted(struct feed *f, const struct event_log_event *event,
				const struct event_cursor *position)
{
	const struct target *t = f->arg;
	struct post *p;

	if (!wants(t, event->event->type))
		return NULL;
	p = make_post(t, event->message, event->record, event->event, position);
	if (!p)
		LOG(LOG_ERROR, "webhook.event_unreadable", LOG_S("webhook", t->endpoint.id),
		    LOG_S("message", event->message), LOG_N("sequence", event->n));
	return p;
}

static void enqueue(struct feed *f, struct post *take_posts)
{
	struct target *t = f->arg;

	post_list_add(&t->waiting, take_posts);
}

static void on_lost(struct feed *f, int64_t from_ms, int64_t until_ms)
{
	outcome_note_loss(f->arg, from_ms, until_ms);
}

static void on_rest(struct feed *f)
{
	target_go_on(f->arg);
}

static const struct feed_handler feed_handler = {make_wanted, enqueue, on_lost, on_rest};

static bool may_read(const struct target *t)
{
	return t->waiting.n < WAITING_MAX && t->retries.n < RETRIES_MAX;
}

/* Reads the partitions in turn, a few at once: each read may bring more than WAITING_MAX posts. */
static void read_on(struct target *t)
{
	size_t first = t->next_feed, n_reading = 0;

	for (size_t i = 0; i < t->n_feeds; i++)
		n_reading += t->feeds[i]->is_reading;
	for (size_t i = 0; i < t->n_feeds && n_reading < READS_AT_ONCE && may_read(t); i++) {
		struct feed *f = t->feeds[(first + i) % t->n_feeds];

		if (!f->has_news || f->is_reading)
			continue;
		n_reading++;
		t->next_feed = f->partition + 1;
		feed_read(f);
	}
}

void target_hear_news(struct target *t, unsigned partition)
{
	t->feeds[partition]->has_news = true;
	target_go_on(t);
}

/* ---- retries ---- */

/* A retry has no position in the log, so its cursor is directly before the event. */
static struct post *make_retry(const struct target *t, const struct retry *retry,
			       const struct record *record, const struct record_event *event)
{
	const struct event_cursor position = {.at = {event->at_ms - 1, 0}};
	struct post *p = make_post(t, retry->message, record, event, &position);

	if (!p)
		return NULL;
	p->is_retry = true;
	p->tries = retry->tries;
	return p;
}

static enum retries_verdict give_up(struct target *t, const struct retry *retry, const char *reason)
{
	struct outcome outcome = outcome_give_up(t, retry, reason);

	take_outcome(t, &outcome);
	return RETRIES_OVER;
}

static enum retries_verdict on_retry(const struct retry *retry, const struct record *record,
				     const struct err *why, void *arg)
{
	const struct record_event *event =
		record ? record_find_event(record, retry->sequence) : NULL;
	struct target *t = arg;
	struct post *p;

	if (t->is_gone || t->shared->is_stopping || (!record && why->kind == ERR_RETRY) ||
	    (t->in_flight > 0 && !has_room(t)))
		return RETRIES_WAIT;
	p = event ? make_retry(t, retry, record, event) : NULL;
	if (!p)
		return give_up(t, retry,
			       record ? "the event cannot be written as JSON" : why->text);
	if (send_post(t, p) == 0)
		return RETRIES_SENT;
	post_free(p);
	return RETRIES_WAIT;
}

/* ---- one turn ---- */

void target_go_on(struct target *t)
{
	if (t->is_gone || !t->shared->lease.is_held || t->shared->is_stopping || !t->secret)
		return;
	send_waiting(t, &t->tests, may_send_test);
	send_waiting(t, &t->waiting, may_send);
	retries_go_on(&t->retries, t->window < RETRIES_AT_ONCE ? t->window : RETRIES_AT_ONCE);
	read_on(t);
}

bool target_is_idle(const struct target *t)
{
	for (size_t i = 0; i < t->n_feeds; i++)
		if (t->feeds[i]->is_reading)
			return false;
	return t->in_flight == 0 && t->retries.n_open == 0;
}

/* ---- begin, change, end ---- */

void target_update(struct target *t, struct deliveries_endpoint *take, uint64_t loaded_after)
{
	endpoint_deinit(&t->endpoint);
	t->endpoint = take->endpoint;
	take->endpoint = (struct endpoint){0};
	secret_wipe(t->secret);
	secret_wipe(t->old_secret);
	t->secret = secret_open(&t->endpoint, t->endpoint.secret, t->shared->config);
	t->old_secret = secret_open(&t->endpoint, t->endpoint.old_secret, t->shared->config);
	retries_count(&t->retries, take->n_retries, loaded_after);
}

/* The feed of the next partition begins after this place. */
static int add_feed(struct target *t, const struct event_log_place *after)
{
	struct feed *f = calloc(1, sizeof(*f));
	void *more = f ? list_room(t->feeds, t->n_feeds, sizeof(struct feed *)) : NULL;

	if (!more) {
		free(f);
		return -1;
	}
	t->feeds = more;
	feed_init(f, t->shared, &t->endpoint, (unsigned)t->n_feeds, after);
	f->handler = &feed_handler;
	f->arg = t;
	t->feeds[t->n_feeds++] = f;
	return 0;
}

int target_read_new_partitions(struct target *t)
{
	while (t->n_feeds < redis_partitions(t->shared->redis))
		if (add_feed(t, &t->start) < 0)
			return -1;
	return 0;
}

static void free_feeds(struct target *t)
{
	for (size_t i = 0; i < t->n_feeds; i++) {
		feed_deinit(t->feeds[i]);
		free(t->feeds[i]);
	}
	free(t->feeds);
}

static int add_feeds(struct target *t, const struct deliveries_endpoint *from)
{
	for (unsigned p = 0; p < from->n_partitions; p++)
		if (add_feed(t, &from->done[p]) < 0)
			return -1;
	return 0;
}

struct target *target_new(struct hooks_shared *shared, struct deliveries_endpoint *take)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->shared = shared;
	t->start = take->start;
	if (add_feeds(t, take) < 0 || !(t->share = share_join(&shared->shares, take->project_id))) {
		free_feeds(t);
		free(t);
		return NULL;
	}
	t->window = WINDOW_FIRST;
	post_list_init(&t->waiting);
	post_list_init(&t->tests);
	t->is_failing = take->n_retries > 0;
	t->delivered_ms = take->good_ms;
	snprintf(t->project_id, sizeof(t->project_id), "%s", take->project_id);
	retries_init(&t->retries, shared, &t->endpoint, on_retry, t);
	target_update(t, take, shared->lease.committed);
	return t;
}

static void drop_waiting(struct target *t)
{
	post_list_drop(&t->waiting);
	post_list_drop(&t->tests);
}

void target_free(struct target *t)
{
	drop_waiting(t);
	while (t->flying) {
		struct post *p = t->flying;

		t->flying = p->next;
		post_free(p);
	}
	share_leave(&t->shared->shares, t->share);
	free_feeds(t);
	secret_wipe(t->secret);
	secret_wipe(t->old_secret);
	endpoint_deinit(&t->endpoint);
	free(t);
}

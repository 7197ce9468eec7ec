/* Deliveries of a webhook: list, send an event again, test. */
#include "api/webhook_deliveries.h"
#include "api/http/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/page.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/events/event.h"
#include "server/store/projects/endpoints.h"
#include "server/store/messages/messages.h"

#define TEST_WAIT_MS 20000 /* a delivery ends within 15 s */
#define TEST_POLL_MS 150

/* ---- deliveries ---- */

struct listing {
	struct page page;
	bool failed_only;
};

static const char *id_of(const json_t *delivery)
{
	return json_string_value(json_object_get(delivery, "id"));
}

/* The index of the first delivery of the page: after the one with the cursor's id. If that one is
 * gone, all older ones are gone, too. */
static size_t first_of(const json_t *list, const char *cursor)
{
	size_t i = 0;

	if (!cursor)
		return 0;
	while (i < json_array_size(list))
		if (strcmp(id_of(json_array_get(list, i++)), cursor) == 0)
			break;
	return i;
}

static void on_log(json_t *list, const struct err *why, void *arg)
{
	struct request *r = arg;
	const struct page *p = &((struct listing *)request_state(r))->page;
	size_t n = json_array_size(list), i;
	const char *next = NULL;
	json_t *data;

	if (why) {
		response_err(r, why);
		return;
	}
	data = json_array();
	for (i = first_of(list, p->cursor); i < n && json_array_size(data) < p->limit; i++) {
		json_array_append(data, json_array_get(list, i));
		next = id_of(json_array_get(list, i));
	}
	page_respond(r, data, i < n ? next : NULL);
}

static void on_found(const struct endpoint *list, size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;
	const struct listing *l = request_state(r);

	(void)n;
	if (why)
		response_err(r, why);
	else
		endpoints_deliveries(request_api(r)->redis, list->id, l->failed_only, on_log, r);
}

static int read_query(const struct request *r, void *state, struct err *e)
{
	struct listing *l = state;
	static const char *const names[] = {"failed", NULL};
	const char *failed = request_query(r, "failed");

	if (page_read_ids(r, "dlv", names, &l->page, e) < 0)
		return -1;
	if (failed && strcmp(failed, "true") != 0 && strcmp(failed, "false") != 0)
		return err_set(e, ERR_INPUT, "Query parameter failed: must be true or false");
	l->failed_only = failed && strcmp(failed, "true") == 0;
	return 0;
}

void webhook_deliveries_list(struct request *r)
{
	if (page_begin(r, calloc(1, sizeof(struct listing)), free, read_query))
		endpoints_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0),
			      on_found, r);
}

/* ---- send an event again ---- */

struct redelivery {
	char event[EVENT_ID_LEN + 1];
	bool in_failed; /* the lookup is in the list of failed deliveries */
};

static const char *event_of(const struct request *r)
{
	return ((const struct redelivery *)request_state(r))->event;
}

static void on_redelivered(const struct err *why, void *arg)
{
	struct request *r = arg;

	if (why && why->kind == ERR_REFUSED) {
		response_problem(r, PROBLEM_CONFLICT, NULL, "%s", why->text);
	} else if (why) {
		response_err(r, why);
	} else {
		LOG(LOG_INFO, "webhook.redelivered", LOG_S("webhook", request_param(r, 0)),
		    LOG_S("event", event_of(r)), LOG_S("request", request_id(r)));
		response_json(r, 202,
			      json_pack("{s:s, s:s}", "webhook_id", request_param(r, 0), "event_id",
					event_of(r)));
	}
}

static void respond_no_event(struct request *r)
{
	response_problem(r, PROBLEM_NOT_FOUND, NULL,
			 "No event has this id, or its retention is over.");
}

static void on_record(const struct record *record, const struct err *why, void *arg)
{
	struct request *r = arg;
	char message[ID_LEN + 1];
	unsigned n;

	if (!record && why->kind != ERR_NOT_FOUND)
		response_err(r, why);
	else if (!record || event_read_id(event_of(r), message, &n) < 0 ||
		 !record_find_event(record, n))
		respond_no_event(r);
	else
		endpoints_redeliver(request_api(r)->redis, request_key(r)->tenant,
				    request_param(r, 0), message, n, on_redelivered, r);
}

static void redeliver_event(struct request *r)
{
	char message[ID_LEN + 1];
	unsigned n;

	if (event_read_id(event_of(r), message, &n) < 0)
		respond_no_event(r);
	else
		messages_get(request_api(r)->redis, request_key(r)->tenant, message, on_record, r);
}

static const char *find_event(const json_t *list, const char *delivery)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (strcmp(id_of(item), delivery) == 0)
			return json_string_value(json_object_get(item, "event_id"));
	}
	return NULL;
}

/* First the list of all deliveries, then the list of failed ones, which goes back further. */
static void on_deliveries(json_t *list, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct redelivery *d = request_state(r);
	const char *event = find_event(list, request_param(r, 1));

	if (why) {
		response_err(r, why);
	} else if (event) {
		snprintf(d->event, sizeof(d->event), "%s", event);
		redeliver_event(r);
	} else if (!d->in_failed) {
		d->in_failed = true;
		endpoints_deliveries(request_api(r)->redis, request_param(r, 0), true,
				     on_deliveries, r);
	} else {
		response_problem(r, PROBLEM_NOT_FOUND, NULL,
				 "The list of deliveries of this webhook has no delivery with this "
				 "id. Use the id of the event.");
	}
}

static void on_found_to_search(const struct endpoint *list, size_t n, const struct err *why,
			       void *arg)
{
	struct request *r = arg;

	(void)n;
	if (why)
		response_err(r, why);
	else
		endpoints_deliveries(request_api(r)->redis, list->id, false, on_deliveries, r);
}

void webhook_deliveries_redeliver(struct request *r)
{
	struct redelivery *d = calloc(1, sizeof(*d));
	const char *id = request_param(r, 1);

	if (!d) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return;
	}
	request_set_state(r, d, free);
	if (id_valid("dlv", id)) {
		endpoints_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0),
			      on_found_to_search, r);
		return;
	}
	snprintf(d->event, sizeof(d->event), "%s", strlen(id) < sizeof(d->event) ? id : "");
	redeliver_event(r);
}

/* ---- test ---- */

struct test {
	char event[ID_LEN + 1];
	int64_t until_ms;
	struct loop_timer timer;
};

static void test_free(void *state)
{
	struct test *t = state;

	loop_timer_deinit(&t->timer);
	free(t);
}

static void on_result(json_t *result, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct test *t = request_state(r);

	if (why)
		response_err(r, why);
	else if (result && endpoint_test_refusal(result))
		response_problem(r, PROBLEM_CONFLICT, NULL, "%s", endpoint_test_refusal(result));
	else if (result)
		response_json(r, 200, json_incref(result));
	else if (clock_mono_ms() > t->until_ms || request_api(r)->is_draining)
		response_problem(
			r, PROBLEM_UNAVAILABLE, NULL,
			"The test event was not posted in time. Check that a process with the "
			"role hooks runs, and that no earlier tests of this webhook are under "
			"way.");
	else
		loop_timer_set(&t->timer, TEST_POLL_MS);
}

static void poll(void *arg)
{
	struct request *r = arg;
	const struct test *t = request_state(r);

	endpoints_get_test(request_api(r)->redis, t->event, on_result, r);
}

static void on_asked(const struct err *why, void *arg)
{
	struct test *t = request_state(arg);

	if (why && why->kind == ERR_REFUSED)
		response_problem(arg, PROBLEM_CONFLICT, NULL, "%s", why->text);
	else if (why)
		response_err(arg, why);
	else
		loop_timer_set(&t->timer, TEST_POLL_MS);
}

static void on_found_to_test(const struct endpoint *list, size_t n, const struct err *why,
			     void *arg)
{
	struct request *r = arg;
	struct test *t = request_state(r);

	(void)n;
	if (why)
		response_err(r, why);
	else if (!list->is_enabled)
		response_problem(r, PROBLEM_CONFLICT, NULL,
				 "The webhook is disabled. Enable it first.");
	else
		endpoints_ask_test(request_api(r)->redis, list, t->event,
				   request_key(r)->project_id, on_asked, r);
}

void webhook_deliveries_test(struct request *r)
{
	struct test *t = calloc(1, sizeof(*t));
	struct id id = id_make("evt", 0);

	if (!t || loop_timer_init(&t->timer, request_api(r)->loop, poll, r) < 0) {
		free(t);
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return;
	}
	snprintf(t->event, sizeof(t->event), "%s", id.text);
	t->until_ms = clock_mono_ms() + TEST_WAIT_MS;
	request_set_state(r, t, test_free);
	endpoints_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0),
		      on_found_to_test, r);
}

/* One POST of an event to an endpoint: body, signature, headers, result. */
#include "server/hooks/post.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/json_text.h"
#include "server/events/sign.h"

#define TIMEOUT_MS 15000
#define RESPONSE_MAX ((size_t)16 << 10)
#define EXCERPT_MAX 500
#define SAMPLE_MESSAGE "msg_00000000000000000000000000"

/* ---- making one ---- */

/* Takes the reference of json. */
static struct post *new_post(json_t *json)
{
	struct post *p = json ? calloc(1, sizeof(*p)) : NULL;

	if (p && !(p->body = json_dumps(json, JSON_COMPACT))) {
		free(p);
		p = NULL;
	}
	json_decref(json);
	return p;
}

struct post *post_new(const struct post_about *about, const struct record *record,
		      const struct record_event *event)
{
	struct event_about shown = {about->message, about->project_id, about->cursor};
	struct post *p = new_post(event_json(&shown, record, event));

	if (!p)
		return NULL;
	snprintf(p->message, sizeof(p->message), "%s", about->message);
	p->sequence = event->n;
	event_id(p->message, p->sequence, p->id);
	snprintf(p->type, sizeof(p->type), "message.%s", event->type);
	p->at_ms = event->at_ms;
	return p;
}

struct post *post_new_test(const char *event_id, const char *project_id, bool is_test_mode)
{
	int64_t now = clock_real_ms();
	struct event_about about = {SAMPLE_MESSAGE, project_id, NULL};
	struct post *p = new_post(event_sample_json(event_id, &about, is_test_mode, now));

	if (!p)
		return NULL;
	snprintf(p->id, sizeof(p->id), "%s", event_id);
	snprintf(p->type, sizeof(p->type), EVENT_TEST_TYPE);
	p->at_ms = now;
	p->is_test = true;
	return p;
}

void post_free(struct post *p)
{
	free(p->body);
	free(p);
}

/* ---- sending ---- */

static void on_response(const struct fetch_response *a, void *arg)
{
	struct post *p = arg;
	enum post_outcome outcome = a->status >= 200 && a->status < 300 ? POST_DELIVERED
				    : a->status == 410                  ? POST_GONE
									: POST_FAILED;

	p->fn(p, outcome, a, p->arg);
}

/* Appends "v1,<base64> v1,<base64>", one for each secret. */
static int append_signatures(const struct post *p, const struct post_target *to, int64_t now_s,
			     struct buf *out)
{
	struct sign_input in = {p->id, now_s, p->body, strlen(p->body)};
	struct buf signatures = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(to->secrets) / sizeof(*to->secrets); i++)
		if (to->secrets[i])
			rc = sign_append(to->secrets[i], &in, &signatures);
	if (rc == 0)
		buf_str(out, buf_text(&signatures));
	buf_deinit(&signatures);
	return rc == 0 && !out->failed ? 0 : -1;
}

int post_send(struct post *p, struct fetch *fetch, const struct post_target *to, post_fn *fn,
	      void *arg)
{
	int64_t now_s = clock_real_ms() / 1000;
	char id[80], timestamp[64];
	struct buf signature = {0};
	const char *headers[5] = {"Content-Type: application/json", id, timestamp, NULL, NULL};
	struct fetch_request q = {to->url,         headers,    p->body,
				  strlen(p->body), TIMEOUT_MS, RESPONSE_MAX};
	int rc;

	snprintf(id, sizeof(id), "webhook-id: %s", p->id);
	snprintf(timestamp, sizeof(timestamp), "webhook-timestamp: %" PRId64, now_s);
	buf_str(&signature, "webhook-signature: ");
	rc = append_signatures(p, to, now_s, &signature);
	if (rc == 0) {
		headers[3] = buf_text(&signature);
		p->fn = fn;
		p->arg = arg;
		rc = fetch_post(fetch, &q, on_response, p, NULL);
	}
	buf_deinit(&signature);
	return rc;
}

/* ---- how a delivery is shown ---- */

json_t *post_delivery_json(const struct post *p, const struct fetch_response *a, int64_t next_ms)
{
	size_t len = a->body_len < EXCERPT_MAX ? a->body_len : EXCERPT_MAX;
	char now[CLOCK_RFC3339_LEN], next[CLOCK_RFC3339_LEN];
	struct id id = id_make("dlv", 0);

	clock_rfc3339(clock_real_ms(), now);
	if (next_ms)
		clock_rfc3339(next_ms, next);
	return json_pack(
		"{s:s, s:s, s:s, s:s*, s:i, s:s, s:o, s:I, s:s*, s:o, s:s?}", "id", id.text,
		"event_id", p->id, "type", p->type, "message_id", p->is_test ? NULL : p->message,
		"attempt", (int)p->tries + 1, "attempted_at", now, "response_status",
		a->status ? json_integer(a->status) : json_null(), "duration_ms", (json_int_t)a->ms,
		"error", *a->error ? a->error : NULL, "response_excerpt", json_text(a->body, len),
		"next_attempt_at", next_ms ? next : NULL);
}

/* ---- lists ---- */

void post_list_init(struct post_list *list)
{
	*list = (struct post_list){.last = &list->first};
}

void post_list_drop(struct post_list *list)
{
	struct post *p;

	while ((p = list->first)) {
		list->first = p->next;
		post_free(p);
	}
	post_list_init(list);
}

void post_list_add(struct post_list *list, struct post *take_posts)
{
	*list->last = take_posts;
	for (struct post *p = take_posts; p; p = p->next) {
		list->last = &p->next;
		list->n++;
	}
}

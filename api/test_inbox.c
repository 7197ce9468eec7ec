/* The test inbox: shows the mail of test keys, which the built-in sink stores. */
#include "api/test_inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/response.h"
#include "api/json/duration.h"
#include "api/page.h"
#include "server/base/clock.h"
#include "server/base/json_text.h"
#include "server/base/number.h"
#include "server/mail/mail_view.h"
#include "api/messages/render.h"
#include "server/mail/address.h"
#include "server/store/projects/inbox.h"

#define WAIT_MAX_S 60
#define LIMIT_DEFAULT 10
#define LIMIT_MAX 100

struct query {
	struct address to;
	struct inbox_query inbox;
	int64_t wait_ms;
};

static int read_limit(const struct request *r, struct query *q, struct err *e)
{
	long n = LIMIT_DEFAULT;

	if (page_number(r, "limit", 1, LIMIT_MAX, &n, e) < 0)
		return -1;
	q->inbox.limit = (size_t)n;
	return 0;
}

static int read_wait(const char *text, struct query *q, struct err *e)
{
	q->wait_ms = 0;
	if (!text)
		return 0;
	if (duration_parse(text, strlen(text), 0, WAIT_MAX_S, &q->wait_ms, e) < 0)
		return err_prefix(e, "Query parameter wait");
	return 0;
}

static json_t *mail_json(const struct inbox_mail *m)
{
	json_t *view = mail_view(m->mail, m->mail_len);
	json_t *json = json_pack("{s:s, s:o, s:o, s:o}", "message_id", m->message, "to",
				 json_text(m->recipient, strlen(m->recipient)), "from",
				 json_text(m->sender, strlen(m->sender)), "received_at",
				 render_time(m->received_ms));

	if (!view || !json || json_object_update(json, view) < 0) {
		json_decref(json);
		json = NULL;
	}
	json_decref(view);
	return json;
}

static void on_page(const struct inbox_page *page, const struct err *why, void *arg)
{
	struct request *r = arg;
	json_t *data;
	char next[24];

	if (why) {
		response_err(r, why);
		return;
	}
	data = json_array();
	for (size_t i = 0; i < page->n; i++)
		json_list_add(&data, mail_json(&page->mails[i]));
	snprintf(next, sizeof(next), "%lld", (long long)page->next);
	page_respond_with(r, data, page->next ? next : NULL,
			  json_pack("{s:I}", "dropped", (json_int_t)page->dropped));
}

static int read_cursor(const char *text, struct query *q, struct err *e)
{
	if (text && number_parse(text, strlen(text), 1, INT64_C(1) << 52, &q->inbox.before) < 0)
		return page_bad_cursor(e);
	return 0;
}

static int read_since(const char *text, struct query *q, struct err *e)
{
	if (text && clock_parse_rfc3339(text, &q->inbox.since_ms) < 0)
		return err_set(e, ERR_INPUT,
			       "Query parameter since: must be a time like 2026-11-24T08:00:00Z");
	return 0;
}

/* -1: it has responded. */
static int check_mode(struct request *r)
{
	if (request_key(r)->is_test)
		return 0;
	response_problem(r, PROBLEM_FORBIDDEN, NULL,
			 "The test inbox is for test keys (pn_test_...) only.");
	return -1;
}

void test_inbox_show(struct request *r)
{
	struct redis *redis = request_api(r)->redis;
	struct query q = {.inbox.project = request_key(r)->tenant};
	struct err e;

	if (check_mode(r) < 0)
		return;
	if (page_to(r, &q.to, &q.inbox.recipient, &e) < 0 || read_limit(r, &q, &e) < 0 ||
	    read_since(request_query(r, "since"), &q, &e) < 0 ||
	    read_cursor(request_query(r, "cursor"), &q, &e) < 0 ||
	    read_wait(request_query(r, "wait"), &q, &e) < 0) {
		response_err(r, &e);
		return;
	}
	if (q.wait_ms && !q.inbox.before)
		inbox_wait(redis, &q.inbox, q.wait_ms, on_page, r);
	else
		inbox_list(redis, &q.inbox, on_page, r);
}

void test_inbox_delete(struct request *r)
{
	struct query q = {0};
	struct err e;

	if (check_mode(r) < 0)
		return;
	if (page_to(r, &q.to, &q.inbox.recipient, &e) < 0)
		response_err(r, &e);
	else
		inbox_delete(request_api(r)->redis, request_key(r)->tenant, q.inbox.recipient,
			     response_no_content, r);
}

/* Accepts messages, and shows one with its state. */
#include "api/messages/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/response.h"
#include "api/body.h"
#include "api/send/idempotency.h"
#include "api/messages/render.h"
#include "api/send/send.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/store/messages/messages.h"
#include "server/redis/redis.h"

/* Redis keeps the facts for days, but the mail only until it is delivered; so they must be small.
 */
#define FACTS_MAX_BYTES 65535
#define MESSAGE_ID_MAX (sizeof("<@>") + ID_LEN + ADDRESS_EMAIL_MAX)

/* A send in progress. accept_message copies; then the parts that only it needs are freed. */
struct creation {
	struct send send;
	struct accept_request accept;
	struct buf mail;
	char idempotency[IDEMPOTENCY_HEX], fingerprint[IDEMPOTENCY_HEX];
	char internet_message_id[MESSAGE_ID_MAX];
	struct buf facts, tags;
	struct buf recipients; /* each ends with a NUL */
	const char *durability;
	int64_t began_ms;
	size_t mail_bytes, n_recipients;
};

static void drop_input(struct creation *c)
{
	send_deinit(&c->send);
	buf_deinit(&c->mail);
	buf_deinit(&c->facts);
	buf_deinit(&c->tags);
}

static void creation_free(void *state)
{
	struct creation *c = state;

	drop_input(c);
	buf_deinit(&c->recipients);
	free(c);
}

/* ---- responses ---- */

static void respond_accepted(struct request *r, const char *id, struct buf *take_body)
{
	char location[64];

	snprintf(location, sizeof(location), "/v1/messages/%s", id);
	response_header(r, "Location", location);
	response_json_text(r, 202, take_body);
}

static void log_accepted(struct request *r, const struct creation *c, const char *id)
{
	LOG(LOG_INFO, "message.accepted", LOG_S("message", id), LOG_S("request", request_id(r)),
	    LOG_S("project", request_key(r)->project_id), LOG_N("recipients", c->n_recipients),
	    LOG_N("bytes", c->mail_bytes), LOG_S("lane", lane_name(c->accept.lane)));
}

static void on_replay_read(const struct record *record, const struct err *why, void *arg)
{
	struct request *r = arg;
	const struct creation *c = request_state(r);
	struct buf body = {0};

	if (!record) {
		/* The message was accepted, so NOT_FOUND is as temporary as an unreachable store.
		 */
		response_problem(
			r, PROBLEM_UNAVAILABLE, NULL,
			"This request was accepted before. Its response cannot be read now: %s",
			why->text);
		return;
	}
	if (render_replay(c->accept.id.text, record, &body) < 0) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "The record cannot be shown.");
		return;
	}
	metric_add(METRIC_REPLAYED, 1);
	response_header(r, "Idempotent-Replayed", "true");
	respond_accepted(r, c->accept.id.text, &body);
}

static void read_replayed(struct request *r, struct creation *c, const char *id)
{
	const struct api *api = request_api(r);

	if (!api || !id || !id_valid("msg", id)) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "The accepted message cannot be read.");
		return;
	}
	snprintf(c->accept.id.text, sizeof(c->accept.id.text), "%s", id);
	messages_get(api->redis, request_key(r)->tenant, c->accept.id.text, on_replay_read, r);
}

static void respond_new(struct request *r, struct creation *c, const char *id, int64_t at_ms,
			const char *suppressed)
{
	struct buf body = {0};

	render_accepted(
		&(struct accepted){
			.id = id,
			.at_ms = at_ms,
			.durability = c->durability,
			.internet_message_id = c->internet_message_id,
			.emails = c->recipients.data,
			.n_emails = c->n_recipients,
			.suppressed = suppressed,
		},
		&body);
	metric_add(METRIC_ACCEPTED, 1);
	metric_observe(METRIC_ACCEPT_MS, clock_mono_ms() - c->began_ms);
	log_accepted(r, c, id);
	respond_accepted(r, id, &body);
}

static void refuse_full(struct request *r, const struct err *why)
{
	metric_add(METRIC_QUEUE_FULL, 1);
	LOG_ONCE(LOG_WARN, "project.queue_full", LOG_S("project", request_key(r)->project_id),
		 LOG_S("mode", request_key(r)->is_test ? "test" : "live"));
	response_problem(r, PROBLEM_QUEUE_FULL, NULL, "%s Nothing was stored.", why->text);
}

static void on_accept(enum accept_status status, const char *id, int64_t at_ms,
		      const char *suppressed, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct creation *c = request_state(r);

	switch (status) {
	case ACCEPT_COMMITTED:
		respond_new(r, c, id, at_ms, suppressed);
		return;
	case ACCEPT_REPLAYED:
		read_replayed(r, c, id);
		return;
	case ACCEPT_CONFLICT:
		response_problem(
			r, PROBLEM_IDEMPOTENCY_MISMATCH, NULL,
			"The body of the first request with this Idempotency-Key had other "
			"bytes. Repeat it byte by byte, or use another key.");
		return;
	case ACCEPT_QUEUE_FULL:
		refuse_full(r, why);
		return;
	case ACCEPT_NOT_ACCEPTED:
		response_problem(r, PROBLEM_NOT_ACCEPTED, NULL, "Nothing was stored: %s",
				 why ? why->text : "the store cannot take it now");
		return;
	case ACCEPT_OUTCOME_UNKNOWN:
		response_problem(
			r, PROBLEM_OUTCOME_UNKNOWN, NULL,
			"The message may have been accepted: %s. Repeat the request with "
			"the same Idempotency-Key to find out. Without a key, a repetition "
			"may send it twice.",
			why ? why->text : "the connection to the store was lost");
		return;
	}
}

/* ---- steps of messages_create: 0, or -1 after a response ---- */

static int read_send(struct request *r, struct creation *c)
{
	json_t *body = NULL, *errors = NULL;
	struct err e;
	int rc;

	if (body_parse(r, &body) < 0)
		return -1;
	rc = send_read(&c->send, body, request_api(r)->config, &errors, &e);
	json_decref(body);
	if (rc == 0)
		return 0;
	if (errors)
		body_respond_errors(r, errors);
	else
		response_err(r, &e);
	return -1;
}

static int read_idempotency(struct request *r, struct creation *c)
{
	const char *header = request_header(r, "Idempotency-Key");
	const char *body;
	struct err e;
	size_t len;

	if (!header)
		return 0;
	body = request_body(r, &len);
	if (idempotency_key(header, request_key(r)->is_test, c->idempotency, &e) < 0) {
		response_err(r, &e);
		return -1;
	}
	idempotency_fingerprint(request_method_text(r), request_path(r), body, len, c->fingerprint);
	c->accept.idempotency = c->idempotency;
	c->accept.fingerprint = c->fingerprint;
	return 0;
}

static int build_mail(struct request *r, struct creation *c)
{
	size_t max = (size_t)request_api(r)->config->max_message_bytes;
	char detail[160];
	struct err e;

	/* With the underscore of "msg_": SpamAssassin's MSGID_RANDY takes ids of letters and digits
	 * alone for those of spam tools. */
	snprintf(c->internet_message_id, sizeof(c->internet_message_id), "<%s@%s>",
		 c->accept.id.text, address_domain(&c->send.from));
	c->send.message.message_id = c->internet_message_id;
	c->send.message.date_ms = clock_real_ms();
	if (message_build(&c->send.message, &c->mail, &e) < 0) {
		if (e.kind == ERR_INPUT)
			body_respond_error(r, "", e.text);
		else
			response_err(r, &e);
		return -1;
	}
	c->mail_bytes = c->mail.len;
	if (c->mail_bytes <= max)
		return 0;
	snprintf(detail, sizeof(detail),
		 "the mail has %zu bytes after encoding; at most %zu are allowed", c->mail_bytes,
		 max);
	body_respond_error(r, "", detail);
	return -1;
}

static int make_facts(struct request *r, struct creation *c)
{
	struct send_extra extra = {
		.internet_message_id = c->internet_message_id,
		.size_bytes = c->mail_bytes,
		.durability = strcmp(c->durability, "fsync") ? c->durability : NULL,
		.request_id = request_header(r, "X-Request-Id") ? request_id(r) : NULL,
	};
	char detail[160];

	send_facts(&c->send, &extra, &c->facts);
	for (size_t i = 0; i < c->send.n_emails; i++)
		buf_append(&c->recipients, c->send.emails[i], strlen(c->send.emails[i]) + 1);
	if (c->facts.failed || c->recipients.failed) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return -1;
	}
	if (c->facts.len <= FACTS_MAX_BYTES)
		return 0;
	snprintf(detail, sizeof(detail),
		 "addresses, subject, tags and metadata take %zu bytes together; at most %d are "
		 "allowed",
		 c->facts.len, FACTS_MAX_BYTES);
	body_respond_error(r, "", detail);
	return -1;
}

/* One line for each; NULL if there are none. */
static const char *tag_lines(struct creation *c)
{
	const json_t *tag;
	size_t i;

	json_array_foreach (c->send.tags, i, tag) {
		buf_fmt(&c->tags, "%s\n", json_string_value(tag));
	}
	return c->tags.len ? buf_text(&c->tags) : NULL;
}

static void accept_send(struct request *r, struct creation *c)
{
	const struct key *key = request_key(r);
	struct quota quota = quota_of(request_api(r)->redis, key);

	c->n_recipients = c->send.n_emails;
	c->accept.project = key->tenant;
	c->accept.is_test = key->is_test;
	c->accept.max_messages = quota.queued_messages;
	c->accept.max_bytes = quota.stored_bytes;
	c->accept.lane = c->send.lane;
	c->accept.choices = c->send.choices;
	c->accept.sender = c->send.from.email;
	c->accept.emails = c->send.emails;
	c->accept.n_emails = c->send.n_emails;
	c->accept.within_ms = c->send.within_ms;
	c->accept.facts = buf_text(&c->facts);
	c->accept.tags = tag_lines(c);
	c->accept.mail = c->mail.data;
	c->accept.mail_len = c->mail.len;
	accept_message(request_api(r)->redis, &c->accept, on_accept, r);
	drop_input(c);
}

void messages_create(struct request *r)
{
	struct creation *c = calloc(1, sizeof(*c));
	struct redis *redis = request_api(r)->redis;
	const char *name = request_query_name(r, 0);

	if (!c) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return;
	}
	request_set_state(r, c, creation_free);
	if (name) { /* the client may have meant "do not send" */
		response_problem(r, PROBLEM_BAD_REQUEST, NULL, "Unknown query parameter `%.60s`.",
				 name);
		return;
	}
	c->began_ms = clock_mono_ms();
	c->durability = redis_durability(redis);
	if (read_idempotency(r, c) < 0 || read_send(r, c) < 0)
		return;
	c->accept.id = id_make(
		"msg", accept_partition(redis, request_key(r)->tenant, c->accept.idempotency));
	if (build_mail(r, c) < 0 || make_facts(r, c) < 0)
		return;
	accept_send(r, c);
}

/* ---- GET /v1/messages/{id} ---- */

static void on_shown(const struct record *record, const struct err *why, void *arg)
{
	struct request *r = arg;
	json_t *body;

	if (!record) {
		response_err(r, why);
		return;
	}
	body = render_message(request_param(r, 0), record);
	if (body)
		response_json(r, 200, body);
	else
		response_problem(r, PROBLEM_INTERNAL, NULL, "The record cannot be shown.");
}

void messages_show(struct request *r)
{
	messages_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0), on_shown,
		     r);
}

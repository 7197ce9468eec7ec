/* Shows the attempts to deliver a message: hosts, the time of each step, transcripts. */
#include "api/messages/attempts.h"

#include <string.h>

#include "api/http/response.h"
#include "api/http/request.h"
#include "api/messages/render.h"
#include "api/page.h"
#include "server/base/json_text.h"
#include "server/events/reply.h"
#include "server/store/messages/transcripts.h"

static int put(json_t *object, const char *name, json_t *take_value)
{
	return json_object_set_new(object, name, take_value);
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_text(text, strlen(text)) : json_null();
}

/* The outcomes of an attempt are the events that it caused. */
static json_t *recipients(const struct record *record, const struct record_attempt *a)
{
	json_t *list = json_array(), *one;
	int rc = 0;

	for (size_t i = a->first_event; i < a->first_event + a->n_events; i++) {
		const struct record_event *event = &record->events[i];
		const char *email;

		if (event->recipient >= record->n_recipients)
			continue;
		email = record->recipients[event->recipient].email;
		one = json_object();
		rc |= put(one, "email", json_text(email, strlen(email)));
		rc |= put(one, "status", json_string(event->type));
		rc |= reply_put(one, event->code, event->text);
		rc |= json_array_append_new(list, one);
	}
	if (rc == 0)
		return list;
	json_decref(list);
	return NULL;
}

static bool is_possible_duplicate(const struct record *record, const struct record_attempt *a)
{
	for (size_t i = a->first_event; i < a->first_event + a->n_events; i++)
		if (record->events[i].possible_duplicate)
			return true;
	return false;
}

static json_t *destination(const struct record *record, const struct record_attempt *a)
{
	const char *name = record->jobs[a->job].destination;

	if (strncmp(name, "sink/", 5) == 0)
		name += 5;
	return json_text(name, strlen(name));
}

static json_t *steps(const struct attempt *facts)
{
	json_t *object = json_object();
	int rc = 0;

	for (int i = ATTEMPT_NONE + 1; i < ATTEMPT_STEPS; i++)
		if (facts->steps_ms[i] >= 0)
			rc |= put(object, attempt_step_name((enum attempt_step)i),
				  json_integer(facts->steps_ms[i]));
	if (rc == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *remote(const struct attempt *facts)
{
	if (!*facts->host)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "host", text_or_null(facts->host), "ip",
			 text_or_null(facts->ip), "port",
			 facts->port ? json_integer(facts->port) : json_null());
}

static json_t *tls(const struct attempt *facts)
{
	if (facts->tls == ATTEMPT_TLS_NONE)
		return json_null();
	return json_pack("{s:s, s:o, s:o}", "verdict", attempt_tls_name(facts->tls), "version",
			 text_or_null(facts->tls_version), "cipher",
			 text_or_null(facts->tls_cipher));
}

static int put_facts(json_t *object, const struct attempt *facts)
{
	int rc = put(object, "started_at", render_time(facts->started_ms));

	rc |= put(object, "duration_ms", json_integer(facts->took_ms));
	rc |= put(object, "steps_ms", steps(facts));
	rc |= put(object, "remote", remote(facts));
	rc |= put(object, "source_ip", text_or_null(facts->source));
	return rc | put(object, "tls", tls(facts));
}

/* They were lost with the relay. */
static int put_no_facts(json_t *object)
{
	static const char *const names[] = {"started_at", "duration_ms", "remote", "source_ip",
					    "tls"};
	int rc = put(object, "steps_ms", json_object());

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		rc |= put(object, names[i], json_null());
	return rc;
}

static json_t *transcript(const struct transcripts_one *one)
{
	const char *p = one->transcript, *end;
	json_t *list;
	int rc = 0;

	if (!p)
		return json_null();
	end = p + one->transcript_len;
	list = json_array();
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((lf ? lf : end) - p);

		rc |= json_array_append_new(list, json_text(p, len));
		p += len + 1;
	}
	if (rc == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *attempt(const struct record *record, const struct transcripts_one *one)
{
	json_t *object = json_object();
	int rc = put(object, "attempt", json_integer(one->number));

	rc |= put(object, "destination", destination(record, one->in_record));
	rc |= one->is_known ? put_facts(object, &one->facts) : put_no_facts(object);
	rc |= put(object, "recipients", recipients(record, one->in_record));
	rc |= put(object, "possible_duplicate",
		  json_boolean(is_possible_duplicate(record, one->in_record)));
	if (one->is_known && *one->facts.reply)
		rc |= put(object, "reply", reply_json(one->facts.code, one->facts.reply));
	rc |= put(object, "transcript", transcript(one));
	if (rc == 0)
		return object;
	json_decref(object);
	return NULL;
}

static void on_attempts(const struct record *record, const struct transcripts_one *attempts,
			size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;
	json_t *list;

	if (!record) {
		response_err(r, why);
		return;
	}
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_list_add(&list, attempt(record, &attempts[i]));
	page_respond(r, list, NULL);
}

void attempts_show(struct request *r)
{
	transcripts_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0),
			on_attempts, r);
}

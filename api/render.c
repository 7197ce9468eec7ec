/* Renders messages of the store as the JSON that the API shows. */
#include "api/render.h"

#include <string.h>

#include "server/mail/text.h"
#include "api/send.h"
#include "server/base/clock.h"

json_t *render_time(int64_t real_ms)
{
	char text[CLOCK_RFC3339_LEN];

	clock_rfc3339(real_ms, text);
	return json_string(text);
}

json_t *render_facts(const struct record *record)
{
	return json_loads(record->facts, JSON_REJECT_DUPLICATES, NULL);
}

bool render_has_tag(const struct record *record, const char *tag)
{
	json_t *facts = render_facts(record), *value;
	bool is_there = false;
	size_t i;

	json_array_foreach (json_object_get(facts, "tags"), i, value) {
		is_there |= json_is_string(value) && strcmp(json_string_value(value), tag) == 0;
	}
	json_decref(facts);
	return is_there;
}

/* ---- 202 ---- */

static json_t *accepted_recipients(const json_t *facts)
{
	const json_t *stopped = json_object_get(facts, "suppressed");
	json_t *envelope = send_envelope(facts), *list = json_array(), *unused;
	enum recipient_state state;
	const char *email;
	json_int_t i = 0;
	size_t n = 0;
	int rc = envelope ? 0 : -1;

	json_object_foreach (envelope, email, unused) {
		state = STATE_QUEUED;
		if (n < json_array_size(stopped) &&
		    json_integer_value(json_array_get(stopped, n)) == i) {
			state = STATE_SUPPRESSED;
			n++;
		}
		i++;
		rc |= json_array_append_new(list, json_pack("{s:s, s:s}", "email", email, "status",
							    recipient_state_name(state)));
	}
	json_decref(envelope);
	if (rc == 0)
		return list;
	json_decref(list);
	return NULL;
}

json_t *render_accepted(const char *id, int64_t at_ms, const json_t *facts)
{
	const char *durability = json_string_value(json_object_get(facts, "durability"));
	size_t n_stopped = json_array_size(json_object_get(facts, "suppressed"));
	json_t *list = accepted_recipients(facts);
	bool is_over = n_stopped && n_stopped == json_array_size(list);

	return json_pack("{s:s, s:s, s:s, s:o, s:O, s:o}", "id", id, "status",
			 recipient_state_name(is_over ? STATE_SUPPRESSED : STATE_QUEUED),
			 "durability", durability ? durability : "fsync", "created_at",
			 render_time(at_ms), "message_id", json_object_get(facts, "message_id"),
			 "recipients", list);
}

/* ---- GET ---- */

static int put(json_t *object, const char *name, json_t *take_value)
{
	return json_object_set_new(object, name, take_value);
}

static int put_last_reply(json_t *object, const struct record_recipient *r)
{
	json_t *reply;

	if (!r->code && !r->text[0])
		return 0;
	reply = json_object();
	if (put(object, "last_reply", reply) < 0 ||
	    (r->code && put(reply, "code", json_integer(r->code)) < 0))
		return -1;
	return put(reply, "text", text_json(r->text, strlen(r->text)));
}

static json_t *recipient(const struct record *record, const struct record_recipient *r)
{
	json_t *object = json_object();
	int64_t next = r->job < record->n_jobs ? record->jobs[r->job].next_attempt_ms : 0;
	int rc = put(object, "email", text_json(r->email, strlen(r->email)));

	rc |= put(object, "status", json_string(recipient_state_name(r->state)));
	rc |= put(object, "attempts", json_integer((json_int_t)r->attempts));
	rc |= put_last_reply(object, r);
	if (r->at_ms)
		rc |= put(object, "last_event_at", render_time(r->at_ms));
	if (next && !recipient_state_is_terminal(r->state))
		rc |= put(object, "next_attempt_at", render_time(next));
	if (r->possible_duplicate)
		rc |= put(object, "possible_duplicate", json_true());
	if (rc == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *recipients(const struct record *record)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < record->n_recipients; i++) {
		if (json_array_append_new(list, recipient(record, &record->recipients[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* What was given is shown as it was given; the rest is absent. */
static int put_facts(json_t *object, const json_t *facts)
{
	static const char *const names[] = {"message_id", "from",       "to",        "cc",
					    "bcc",        "reply_to",   "subject",   "tags",
					    "metadata",   "size_bytes", "request_id"};
	json_t *value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = json_object_get(facts, names[i]);
		if (value && json_object_set(object, names[i], value) < 0)
			return -1;
	}
	return 0;
}

json_t *render_message(const char *id, const struct record *record)
{
	json_t *facts = render_facts(record), *object = json_object();
	int rc = facts ? 0 : -1;

	rc |= put(object, "id", json_string(id));
	rc |= put(object, "status", json_string(record_status(record)));
	rc |= put(object, "created_at", render_time(record->accepted_ms));
	rc |= put(object, "deadline", render_time(record->deadline_ms));
	rc |= put_facts(object, facts);
	rc |= put(object, "lane", json_string(lane_name(record->lane)));
	rc |= put(object, "mode", json_string(record->is_test ? "test" : "live"));
	rc |= put(object, "recipients", recipients(record));
	json_decref(facts);
	if (rc == 0)
		return object;
	json_decref(object);
	return NULL;
}

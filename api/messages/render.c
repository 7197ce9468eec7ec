/* Renders messages of the store as the JSON that the API shows. */
#include "api/messages/render.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/json_text.h"
#include "api/send/send.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/json_write.h"
#include "server/events/reply.h"

json_t *render_time(int64_t real_ms)
{
	char text[CLOCK_RFC3339_LEN];

	clock_rfc3339(real_ms, text);
	return json_string(text);
}

json_t *render_time_or_null(int64_t real_ms)
{
	return real_ms ? render_time(real_ms) : json_null();
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

/* True if recipient i is in *numbers ("[0,2]"). Call it for ascending i: *numbers moves past it. */
static bool is_next(const char **numbers, size_t i)
{
	char *end;

	if (**numbers == ']' || !**numbers || strtoul(*numbers + 1, &end, 10) != i)
		return false;
	*numbers = end;
	return true;
}

static size_t count_numbers(const char *numbers)
{
	size_t n = *numbers ? 1 : 0;

	for (const char *p = numbers; *p; p++)
		n += *p == ',';
	return n;
}

static void put_recipients(const struct accepted *a, struct buf *out)
{
	const char *email = a->emails, *stopped = a->suppressed;

	json_write_name(out, "recipients");
	for (size_t i = 0; i < a->n_emails; i++) {
		enum recipient_state state = is_next(&stopped, i) ? STATE_SUPPRESSED : STATE_QUEUED;

		buf_str(out, i ? ",{" : "[{");
		json_write_member(out, "email", email);
		json_write_member(out, "status", recipient_state_name(state));
		buf_char(out, '}');
		email += strlen(email) + 1;
	}
	buf_char(out, ']');
}

void render_accepted(const struct accepted *a, struct buf *out)
{
	bool is_over = count_numbers(a->suppressed) == a->n_emails;
	char at[CLOCK_RFC3339_LEN];

	clock_rfc3339(a->at_ms, at);
	buf_char(out, '{');
	json_write_member(out, "id", a->id);
	json_write_member(out, "status",
			  recipient_state_name(is_over ? STATE_SUPPRESSED : STATE_QUEUED));
	json_write_member(out, "durability", a->durability ? a->durability : "fsync");
	json_write_member(out, "created_at", at);
	json_write_member(out, "internet_message_id", a->internet_message_id);
	put_recipients(a, out);
	buf_char(out, '}');
}

static int read_envelope(const json_t *facts, struct buf *emails, size_t *n)
{
	json_t *envelope = send_envelope(facts), *unused;
	const char *email;

	json_object_foreach (envelope, email, unused) {
		buf_append(emails, email, strlen(email) + 1);
	}
	*n = json_object_size(envelope);
	json_decref(envelope);
	return *n && !emails->failed ? 0 : -1;
}

int render_replay(const char *id, const struct record *record, struct buf *out)
{
	json_t *facts = render_facts(record), *numbers = json_object_get(facts, "suppressed");
	char *suppressed = numbers ? json_dumps(numbers, JSON_COMPACT) : NULL;
	struct buf emails = {0};
	struct accepted a = {
		.id = id,
		.at_ms = record->accepted_ms,
		.durability = json_string_value(json_object_get(facts, "durability")),
		.internet_message_id =
			json_string_value(json_object_get(facts, "internet_message_id")),
		.suppressed = suppressed ? suppressed : "",
	};
	int rc = a.internet_message_id ? read_envelope(facts, &emails, &a.n_emails) : -1;

	a.emails = emails.data;
	if (rc == 0)
		render_accepted(&a, out);
	buf_deinit(&emails);
	free(suppressed);
	json_decref(facts);
	return rc;
}

/* ---- GET ---- */

static int put(json_t *object, const char *name, json_t *take_value)
{
	return json_object_set_new(object, name, take_value);
}

static int put_reply(json_t *object, const struct record_recipient *r)
{
	if (!r->code && !r->text[0])
		return 0;
	if (put(object, "last_reply", reply_json(r->code, r->text)) < 0)
		return -1;
	if (r->state != STATE_BOUNCED)
		return 0;
	return put(object, "bounce", reply_bounce_json(r->code, r->text, r->is_suppressed));
}

static json_t *recipient(const struct record *record, const struct record_recipient *r)
{
	json_t *object = json_object();
	int64_t next = r->job < record->n_jobs ? record->jobs[r->job].next_attempt_ms : 0;
	int rc = put(object, "email", json_text(r->email, strlen(r->email)));

	rc |= put(object, "status", json_string(recipient_state_name(r->state)));
	rc |= put(object, "attempts", json_integer((json_int_t)r->attempts));
	rc |= put_reply(object, r);
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

/* Fields that were given are shown as they were given; the others are absent. */
static int put_facts(json_t *object, const json_t *facts)
{
	static const char *const names[] = {"internet_message_id",
					    "from",
					    "to",
					    "cc",
					    "bcc",
					    "reply_to",
					    "subject",
					    "tags",
					    "metadata",
					    "size_bytes",
					    "request_id"};
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

/* Events as JSON. */
#include "server/events/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/json_text.h"
#include "server/events/reply.h"

#define PREFIX "message."
#define ID_START (sizeof("msg_") - 1)

/* The types of events in a record. */
static const char *const types[] = {"queued",  "deferred", "held",       "delivered", "bounced",
				    "expired", "canceled", "suppressed", "failed"};
#define TYPES (sizeof(types) / sizeof(*types))

/* evt_, the 26 characters of the message's id, and 4 hex digits: the number of the event in its
 * record. */
void event_id(const char *message, unsigned n, char out[EVENT_ID_LEN + 1])
{
	snprintf(out, EVENT_ID_LEN + 1, "evt_%.26s%04x", message + ID_START, n & 0xffff);
}

int event_read_id(const char *id, char message[ID_LEN + 1], unsigned *n)
{
	char text[ID_LEN + 1], again[EVENT_ID_LEN + 1];

	if (strlen(id) != EVENT_ID_LEN)
		return -1;
	snprintf(text, sizeof(text), "msg_%.26s", id + ID_START);
	*n = (unsigned)strtoul(id + ID_LEN, NULL, 16);
	/* strtoul takes signs, blanks and capitals. Only the text that event_id writes is an id. */
	event_id(text, *n, again);
	if (!id_valid("msg", text) || strcmp(again, id) != 0)
		return -1;
	memcpy(message, text, sizeof(text));
	return 0;
}

static json_t *time_json(int64_t real_ms)
{
	char text[CLOCK_RFC3339_LEN];

	clock_rfc3339(real_ms, text);
	return json_string(text);
}

static int put_recipient(json_t *data, const struct record *record, const struct record_event *ev)
{
	const struct record_recipient *r;

	if (ev->recipient >= record->n_recipients)
		return 0;
	r = &record->recipients[ev->recipient];
	if (json_object_set_new(data, "recipient", json_text(r->email, strlen(r->email))) < 0)
		return -1;
	if (!ev->code && !*ev->text)
		return 0;
	if (json_object_set_new(data, "reply", reply_json(ev->code, ev->text)) < 0)
		return -1;
	/* Other states with a reply have no class of bounce. */
	if (strcmp(ev->type, recipient_state_name(STATE_BOUNCED)) != 0)
		return 0;
	return json_object_set_new(data, "bounce",
				   reply_bounce_json(ev->code, ev->text, ev->is_suppressed));
}

static json_t *data_json(const struct event_about *about, const struct record *record,
			 const struct record_event *ev)
{
	static const char *const shown[] = {"internet_message_id", "from", "subject", "tags",
					    "metadata"};
	json_t *facts = json_loads(record->facts, JSON_REJECT_DUPLICATES, NULL), *value;
	json_t *data = facts ? json_pack("{s:s, s:s, s:s}", "message_id", about->message, "status",
					 ev->type, "lane", lane_name(record->lane))
			     : NULL;
	int rc = data ? put_recipient(data, record, ev) : -1;

	for (size_t i = 0; rc == 0 && i < sizeof(shown) / sizeof(*shown); i++)
		if ((value = json_object_get(facts, shown[i])))
			rc = json_object_set(data, shown[i], value);
	if (rc == 0 && ev->possible_duplicate)
		rc = json_object_set_new(data, "possible_duplicate", json_true());
	json_decref(facts);
	if (rc == 0)
		return data;
	json_decref(data);
	return NULL;
}

struct envelope {
	const char *id, *type;
	unsigned sequence;
	int64_t at_ms;
	bool is_test;
};

static json_t *envelope_json(const struct envelope *e, const struct event_about *about,
			     json_t *take_data)
{
	return json_pack("{s:s, s:s, s:o, s:i, s:s*, s:s, s:s, s:o}", "id", e->id, "type", e->type,
			 "timestamp", time_json(e->at_ms), "sequence", (int)e->sequence, "cursor",
			 about->cursor, "project_id", about->project_id, "mode",
			 e->is_test ? "test" : "live", "data", take_data);
}

json_t *event_json(const struct event_about *about, const struct record *record,
		   const struct record_event *ev)
{
	json_t *data = data_json(about, record, ev);
	char id[EVENT_ID_LEN + 1], type[64];

	if (!data)
		return NULL;
	event_id(about->message, ev->n, id);
	snprintf(type, sizeof(type), PREFIX "%s", ev->type);
	return envelope_json(&(struct envelope){id, type, ev->n, ev->at_ms, record->is_test}, about,
			     data);
}

json_t *event_sample_json(const char *id, const struct event_about *about, bool is_test,
			  int64_t at_ms)
{
	json_t *data =
		json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:{s:s}, s:s}", "message_id",
			  about->message, "status", "delivered", "lane", "normal", "recipient",
			  "recipient@example.com", "reply", reply_json(250, "2.0.0 Ok"),
			  "internet_message_id", "<sample@example.com>", "from", "email",
			  "sender@example.com", "subject", "This is a test of your webhook.");

	if (!data)
		return NULL;
	return envelope_json(&(struct envelope){id, EVENT_TEST_TYPE, 1, at_ms, is_test}, about,
			     data);
}

/* ---- filters ---- */

static bool fits(const char *filter, const char *name)
{
	size_t len = strlen(filter);

	if (len > 0 && filter[len - 1] == '*')
		return strncmp(filter, name, len - 1) == 0;
	return strcmp(filter, name) == 0;
}

bool event_filter_fits(const char *filter, const char *type)
{
	char name[64];

	snprintf(name, sizeof(name), PREFIX "%s", type);
	return fits(filter, name);
}

void event_types(char out[EVENT_TYPES_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < TYPES; i++)
		len += (size_t)snprintf(out + len, EVENT_TYPES_MAX - len, "%s" PREFIX "%s",
					i ? ", " : "", types[i]);
}

bool event_filter_is_known(const char *filter)
{
	for (size_t i = 0; i < TYPES; i++)
		if (event_filter_fits(filter, types[i]))
			return true;
	return false;
}

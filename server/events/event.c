/* Events as JSON. */
#include "server/events/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/json_text.h"

#define PREFIX "message."
#define ID_START (sizeof("msg_") - 1)

/* What a record's events can be. */
static const char *const types[] = {"queued",  "deferred", "held",       "delivered", "bounced",
				    "expired", "canceled", "suppressed", "failed"};
#define TYPES (sizeof(types) / sizeof(*types))

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
	json_t *reply;

	if (ev->recipient >= record->n_recipients)
		return 0;
	r = &record->recipients[ev->recipient];
	if (json_object_set_new(data, "recipient", json_text(r->email, strlen(r->email))) < 0)
		return -1;
	if (!ev->code && !*ev->text)
		return 0;
	reply = json_object();
	if (ev->code && json_object_set_new(reply, "code", json_integer(ev->code)) < 0) {
		json_decref(reply);
		return -1;
	}
	if (json_object_set_new(reply, "text", json_text(ev->text, strlen(ev->text))) < 0) {
		json_decref(reply);
		return -1;
	}
	return json_object_set_new(data, "reply", reply);
}

static json_t *data_json(const struct event_about *about, const struct record *record,
			 const struct record_event *ev)
{
	static const char *const shown[] = {"message_id", "from", "subject", "tags", "metadata"};
	json_t *facts = json_loads(record->facts, JSON_REJECT_DUPLICATES, NULL), *value;
	json_t *data = facts ? json_pack("{s:s, s:s, s:s, s:s}", "message", about->message,
					 "status", ev->type, "lane", lane_name(record->lane),
					 "mode", record->is_test ? "test" : "live")
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

json_t *event_json(const struct event_about *about, const struct record *record,
		   const struct record_event *ev)
{
	json_t *data = data_json(about, record, ev);
	char id[EVENT_ID_LEN + 1], type[64];

	if (!data)
		return NULL;
	event_id(about->message, ev->n, id);
	snprintf(type, sizeof(type), PREFIX "%s", ev->type);
	return json_pack("{s:s, s:s, s:i, s:s*, s:o, s:s, s:o}", "id", id, "type", type, "n",
			 (int)ev->n, "cursor", about->cursor, "created_at", time_json(ev->at_ms),
			 "project", about->project_id, "data", data);
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

bool event_filter_is_known(const char *filter)
{
	for (size_t i = 0; i < TYPES; i++)
		if (event_filter_fits(filter, types[i]))
			return true;
	return false;
}

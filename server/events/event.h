#ifndef SERVER_EVENTS_EVENT_H
#define SERVER_EVENTS_EVENT_H

#include <jansson.h>

#include "server/base/id.h"
#include "server/store/messages/record.h"

/* An event as webhooks carry it and the API shows it:
 *
 *	{id, type, timestamp, sequence, cursor?, project_id, mode, data}
 *
 * sequence counts the events of a message. data: {message_id, status, lane, recipient?, reply?,
 * bounce?, internet_message_id, from, subject?, tags?, metadata?, possible_duplicate?}. */

#define EVENT_ID_LEN (ID_LEN + 4)
#define EVENT_TEST_TYPE "webhook.test"

/* "evt_...", always the same for an event. */
void event_id(const char *message, unsigned n, char out[EVENT_ID_LEN + 1]);
/* 0, or -1 when id is not the id of an event. */
int event_read_id(const char *id, char message[ID_LEN + 1], unsigned *n);

struct event_about {
	const char *message;    /* msg_... */
	const char *project_id; /* prj_... */
	const char *cursor;     /* NULL: none is shown */
};
/* NULL: out of memory, or the record's facts are not JSON. */
json_t *event_json(const struct event_about *about, const struct record *record,
		   const struct record_event *ev);
/* The event of type EVENT_TEST_TYPE, with sample data. about->message need not exist. NULL: out of
 * memory. */
json_t *event_sample_json(const char *id, const struct event_about *about, bool is_test,
			  int64_t at_ms);

/* All types, "message.queued, message.deferred, ..." */
#define EVENT_TYPES_MAX 200
void event_types(char out[EVENT_TYPES_MAX]);
/* True for one of the types, or the beginning of one and a `*`. */
bool event_filter_is_known(const char *filter);
/* True if the filter matches the type. type: without "message.", as in a record. */
bool event_filter_fits(const char *filter, const char *type);

#endif

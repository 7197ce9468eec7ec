#ifndef SERVER_EVENTS_EVENT_H
#define SERVER_EVENTS_EVENT_H

#include <jansson.h>

#include "server/base/id.h"
#include "server/store/messages/record.h"

/* An event as webhooks carry it and the API shows it. */

#define EVENT_ID_LEN (ID_LEN + 4)
/* "evt_...", the same whenever the same event is shown. */
void event_id(const char *message, unsigned n, char out[EVENT_ID_LEN + 1]);
/* 0, or -1 when it is none. */
int event_read_id(const char *id, char message[ID_LEN + 1], unsigned *n);

struct event_about {
	const char *message;    /* msg_... */
	const char *project_id; /* prj_... */
	const char *cursor;     /* NULL: none is shown */
};
/* {id, type, n, cursor, created_at, project, data}; NULL: out of memory, or facts that are no JSON.
 */
json_t *event_json(const struct event_about *about, const struct record *record,
		   const struct record_event *ev);

/* Is it a type that there is, or a prefix of one with a `*` at the end? */
bool event_filter_is_known(const char *filter);
/* type: a state's name, as in a record. */
bool event_filter_fits(const char *filter, const char *type);

#endif

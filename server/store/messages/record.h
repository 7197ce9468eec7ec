#ifndef SERVER_STORE_MESSAGES_RECORD_H
#define SERVER_STORE_MESSAGES_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/store/messages/lane.h"
#include "server/store/messages/choices.h"

/* The record of a message, which lua/lib/record.lua writes under `m:<id>`. It is text: an operator
 * can read it with `redis-cli --raw get`. */

enum recipient_state {
	STATE_QUEUED,
	STATE_SCHEDULED,
	STATE_DEFERRED,
	STATE_HELD,
	STATE_DELIVERED,
	STATE_BOUNCED,
	STATE_EXPIRED,
	STATE_CANCELED,
	STATE_SUPPRESSED,
	STATE_FAILED,
};
const char *recipient_state_name(enum recipient_state state); /* "queued", ... */
bool recipient_state_is_terminal(enum recipient_state state);

struct record_recipient {
	enum recipient_state state;
	unsigned job;
	unsigned attempts;
	int code;      /* of the last reply, 0 = no server replied */
	int64_t at_ms; /* of the last event, 0 = none */
	const char *email;
	const char *text;   /* last reply, or why there is none; "" = none. An end without a reply
			       (expired, canceled) does not change it */
	bool is_suppressed; /* its bounce put the address on the suppression list */
	bool possible_duplicate; /* some event of this recipient was flagged */
	bool has_reply;          /* private */
};

/* An event of the message or of one recipient. n is its number in the message, from 1. */
struct record_event {
	unsigned n;
	const char *type; /* "queued", or a state's name */
	size_t recipient; /* SIZE_MAX: of the message as a whole */
	int64_t at_ms;
	int code; /* of the reply, 0 = none */
	bool possible_duplicate;
	bool is_suppressed; /* this bounce put the address on the suppression list */
	const char *text;
};

struct record_job {
	bool is_done;
	const char *destination; /* a domain; test messages: "sink/" and the domain */
	int64_t next_attempt_ms; /* filled by messages_get for deferred and scheduled jobs; 0 = none
				  */
};

/* An attempt of one job. Its results are the events that it added. */
struct record_attempt {
	unsigned job;
	int64_t epoch; /* of the lease that it was made under */
	size_t n_events;
	size_t first_event; /* index of the first of them */
	const char *line;   /* attempt.h */
};

struct record {
	enum lane lane;
	bool is_test;
	struct message_choices choices;
	const char *project;
	const char *sender;
	int64_t accepted_ms;
	int64_t deadline_ms;
	const char *facts; /* JSON */
	struct record_job *jobs;
	size_t n_jobs;
	struct record_recipient *recipients;
	size_t n_recipients;
	struct record_event *events; /* in order */
	size_t n_events;
	struct record_attempt *attempts; /* in order, the last ones only */
	size_t n_attempts;
	size_t packed_bytes; /* of the content in the store */
	size_t chunks;       /* of the content; 0 = it is in one piece */
	/* private */
	char *copy;
};

/* Parses a copy of len bytes. Free *r by record_deinit; its strings live until then. ERR_INTERNAL:
 * damaged, or out of memory. */
int record_parse(const char *text, size_t len, struct record *r, struct err *e);
void record_deinit(struct record *r);

/* The event with number n; NULL: there is none. */
const struct record_event *record_find_event(const struct record *r, unsigned n);

/* The status of the message: the state of the least finished recipient. If all states are terminal:
 * the state if all are equal, else "mixed". */
const char *record_status(const struct record *r);

#endif

#ifndef API_MESSAGES_RENDER_H
#define API_MESSAGES_RENDER_H

#include <stdint.h>

#include <jansson.h>

#include "server/store/messages/record.h"

struct buf;

/* Messages as JSON. Functions that return a json_t give a new reference; NULL: out of memory, or
 * the facts are not JSON. */

/* A message as it was accepted. */
struct accepted {
	const char *id;
	int64_t at_ms;
	const char *durability; /* NULL: fsync */
	const char *internet_message_id;
	const char *emails; /* of the recipients, each ended by NUL */
	size_t n_emails;
	const char *suppressed; /* the numbers of suppressed recipients: "[0,2]", or "" */
};

/* The body of a 202. */
void render_accepted(const struct accepted *a, struct buf *out);
/* The same bytes as the first response, whatever has happened to the message since. Made from the
 * facts that accept stored. -1: out of memory, or the facts are not JSON. */
int render_replay(const char *id, const struct record *record, struct buf *out);

/* The body of GET /v1/messages/{id}. */
json_t *render_message(const char *id, const struct record *record);

/* record->facts, parsed. */
json_t *render_facts(const struct record *record);

bool render_has_tag(const struct record *record, const char *tag);

/* "2026-11-23T08:15:00.123Z" */
json_t *render_time(int64_t real_ms);
/* The same; 0 (not known) is null. */
json_t *render_time_or_null(int64_t real_ms);

#endif

#ifndef API_RENDER_H
#define API_RENDER_H

#include <stdint.h>

#include <jansson.h>

#include "server/store/record.h"

/* Messages as JSON. A NULL result means out of memory, or facts that are no JSON. */

/* The body of a 202: from facts frozen at acceptance alone, so that a replay years of states later
 * has the same bytes. at_ms: when it was accepted. The facts have an array "suppressed" where
 * recipients ended at once: their numbers, in order. */
json_t *render_accepted(const char *id, int64_t at_ms, const json_t *facts);

/* The body of GET /v1/messages/{id}. */
json_t *render_message(const char *id, const struct record *record);

/* record->facts, read. */
json_t *render_facts(const struct record *record);

bool render_has_tag(const struct record *record, const char *tag);

/* "2026-11-23T08:15:00.123Z" */
json_t *render_time(int64_t real_ms);

#endif

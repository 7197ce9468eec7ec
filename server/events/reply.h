#ifndef SERVER_EVENTS_REPLY_H
#define SERVER_EVENTS_REPLY_H

#include <jansson.h>
#include <stdbool.h>

/* SMTP replies as JSON of events, messages and attempts. The caller owns the values. NULL: out of
 * memory. */

/* {code?, text, source}: code 0 means that no server replied. source: `remote` is the mail server,
 * `local` is Postern (no route, no connection, timeout). */
json_t *reply_json(int code, const char *text);
/* Adds code, text and source to an object. -1: out of memory. */
int reply_put(json_t *object, int code, const char *text);

/* Why mail bounced: {class, is_permanent, is_suppressed, smtp_code?, enhanced_code?, text, source}.
 * is_suppressed: the bounce put the address on the suppression list. */
json_t *reply_bounce_json(int code, const char *text, bool is_suppressed);

#endif

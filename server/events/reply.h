#ifndef SERVER_EVENTS_REPLY_H
#define SERVER_EVENTS_REPLY_H

#include <jansson.h>

/* SMTP replies as events, messages and attempts show them. NULL: out of memory. */

/* {code?, text, source}: code 0 means that no server replied. source: `remote` is the mail server,
 * `local` is Postern (no route, no connection, timeout). */
json_t *reply_json(int code, const char *text);
/* Adds code, text and source to an object. 0 or -1. */
int reply_put(json_t *object, int code, const char *text);

/* Why mail bounced: {class, is_permanent, smtp_code?, enhanced_code?, text, source}. */
json_t *reply_bounce_json(int code, const char *text);

#endif

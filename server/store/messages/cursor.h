#ifndef SERVER_STORE_MESSAGES_CURSOR_H
#define SERVER_STORE_MESSAGES_CURSOR_H

#include <stdint.h>

#include "server/base/buf.h"

/* How far a reader has come in something that each partition has a part of, as a text that a client
 * keeps and gives back:
 *
 *	places = latest 1*( "_" [ place ] )	; a place for each partition; "": none
 *	place  = before [ "." index [ "." part ] ]
 *
 * all numbers in base 36; before: how much lower `at` is than the latest of all. */

struct place {
	int64_t at, index; /* at 0: none */
	unsigned part;
};

#define PLACES_MAX_BYTES 16384 /* what an HTTP request has room for */

void places_write(const struct place *places, unsigned n, struct buf *out);
/* Fills n places; -1: the text is not what places_write makes of as many. */
int places_read(const char *text, struct place *places, unsigned n);

#endif

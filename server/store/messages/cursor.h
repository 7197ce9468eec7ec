#ifndef SERVER_STORE_MESSAGES_CURSOR_H
#define SERVER_STORE_MESSAGES_CURSOR_H

#include <stdint.h>

#include "server/base/buf.h"

/* How far a reader has come in something that each partition has a part of, as a text that a client
 * keeps and gives back:
 *
 *	positions = latest 1*( "_" [ place ] )	; a place for each partition; "": none
 *	place  = before [ "." index [ "." part ] ]
 *
 * all numbers in base 36; before: how much lower `at` is than the latest of all. */

struct cursor_position {
	int64_t at, index; /* at 0: none */
	unsigned part;
};

#define CURSOR_MAX_BYTES 16384 /* what an HTTP request has room for */

void cursor_write(const struct cursor_position *positions, unsigned n, struct buf *out);
/* Fills n positions; -1: the text is not what cursor_write makes of as many. */
int cursor_read(const char *text, struct cursor_position *positions, unsigned n);

#endif

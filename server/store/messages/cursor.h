#ifndef SERVER_STORE_MESSAGES_CURSOR_H
#define SERVER_STORE_MESSAGES_CURSOR_H

#include <stdint.h>

#include "server/base/buf.h"

/*~ A pagination cursor: one position per partition, as a text that a client sends back:
 *
 *	positions = latest 1*( "_" [ position ] )	; one for each partition; "": none
 *	position  = before [ "." index [ "." part ] ]
 *
 * Numbers are in base 36. latest: the highest `at`. before: latest - at. */

struct cursor_position {
	int64_t at, index; /* at 0: none */
	unsigned part;
};

#define CURSOR_MAX_BYTES 512

void cursor_write(const struct cursor_position *positions, unsigned n, struct buf *out);
/* Fills n positions. -1: cursor_write does not make this text from n positions. */
int cursor_read(const char *text, struct cursor_position *positions, unsigned n);

/* ---- numbers, for other cursors ---- */

void cursor_put_number(struct buf *out, int64_t n);
/* Reads at most max digits in base 36 and moves *text after them. -1: no digit, or more than max.
 */
int cursor_take_number(const char **text, size_t max, int64_t *n);

#endif

/* The framing of chunked bodies. */
#include "api/wire/chunks.h"

#include <stdbool.h>

#include "server/base/hex.h"

/* RFC 9112 7.1. Extensions of chunks are refused. 8 hex digits are 4 GB, more than any limit. */
#define SIZE_DIGITS_MAX 8

/* Each of these reads one octet. False: the octet is not allowed there. */

static bool take_size(struct chunks *c, char octet)
{
	int digit = hex_digit(octet);

	if (octet == '\r' && c->digits > 0) {
		c->step = CHUNKS_SIZE_LF;
		return true;
	}
	if (digit < 0 || ++c->digits > SIZE_DIGITS_MAX)
		return false;
	c->left = c->left << 4 | (uint64_t)digit;
	return true;
}

static bool take_line_end(struct chunks *c, char octet, char wanted, enum chunks_step next)
{
	c->step = next;
	c->digits = 0;
	return octet == wanted;
}

/* Fields after the last chunk are read and ignored. An empty line ends the body. */
static bool take_trailer(struct chunks *c, char octet)
{
	if (octet == '\r') {
		c->step = c->step == CHUNKS_LINE ? CHUNKS_END_LF : CHUNKS_TRAILER_LF;
		return true;
	}
	c->step = CHUNKS_TRAILER;
	return octet == '\t' || ((unsigned char)octet >= 0x20 && octet != 0x7f);
}

static bool take_octet(struct chunks *c, char octet)
{
	switch (c->step) {
	case CHUNKS_SIZE:
		return take_size(c, octet);
	case CHUNKS_SIZE_LF:
		return take_line_end(c, octet, '\n', c->left ? CHUNKS_DATA : CHUNKS_LINE);
	case CHUNKS_DATA_CR:
		return take_line_end(c, octet, '\r', CHUNKS_DATA_LF);
	case CHUNKS_DATA_LF:
		return take_line_end(c, octet, '\n', CHUNKS_SIZE);
	case CHUNKS_LINE:
	case CHUNKS_TRAILER:
		return take_trailer(c, octet);
	case CHUNKS_TRAILER_LF:
		return take_line_end(c, octet, '\n', CHUNKS_LINE);
	case CHUNKS_END_LF:
		return take_line_end(c, octet, '\n', CHUNKS_DONE);
	case CHUNKS_DATA:
	case CHUNKS_DONE:
		break;
	}
	return false;
}

enum scan_verdict chunks_scan(struct chunks *c, const char *bytes, size_t len, size_t *used)
{
	size_t i = 0;

	while (i < len && c->step != CHUNKS_DONE) {
		if (c->step == CHUNKS_DATA) {
			size_t n = len - i < c->left ? len - i : (size_t)c->left;

			i += n;
			c->left -= n;
			if (c->left == 0)
				c->step = CHUNKS_DATA_CR;
		} else if (!take_octet(c, bytes[i++])) {
			return SCAN_BAD;
		}
	}
	*used = i;
	return c->step == CHUNKS_DONE ? SCAN_GOOD : SCAN_MORE;
}

#ifndef API_WIRE_CHUNKS_H
#define API_WIRE_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "api/wire/scan.h"

/* Checks the framing of a chunked body as strictly as that of a head (RFC 9112 7.1): libmicrohttpd
 * accepts a bare LF and ignores extensions, which a proxy may read differently.
 *Pure.
 *
 *	body    = *( size CRLF data CRLF ) "0" CRLF *( trailer CRLF ) CRLF
 *	size    = 1*8HEXDIG ; no extensions */

enum chunks_step {
	CHUNKS_SIZE,
	CHUNKS_SIZE_LF,
	CHUNKS_DATA,
	CHUNKS_DATA_CR,
	CHUNKS_DATA_LF,
	CHUNKS_LINE, /* at the first octet of a trailer, or of the line end after all of them */
	CHUNKS_TRAILER,
	CHUNKS_TRAILER_LF,
	CHUNKS_END_LF,
	CHUNKS_DONE,
};

/* Zeroed: at the beginning of a body. */
struct chunks {
	enum chunks_step step;
	unsigned digits;
	uint64_t left; /* of the data of this chunk */
};

/* Reads up to len octets. *used: how many belong to the body. SCAN_GOOD: the body is complete.
 * SCAN_BAD: the framing is malformed. */
enum scan_verdict chunks_scan(struct chunks *c, const char *bytes, size_t len, size_t *used);

#endif

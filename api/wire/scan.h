#ifndef API_WIRE_SCAN_H
#define API_WIRE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/wire/problem.h"

/* Finds errors in the octets of a request head (RFC 9112 2-5) to which libmicrohttpd would respond
 *with its own page or a close, so that the client gets a problem instead. head.c checks the rest.
 *Pure.
 *
 *	head = *CRLF method SP target SP version CRLF *( name ":" value CRLF ) CRLF */

/* Octets of a head. */
#define SCAN_HEAD_MAX 16384

/* Memory that libmicrohttpd has for a connection: the head, a copy of its cookies, and an entry of
 * SCAN_ENTRY_BYTES for each header and each cookie. */
#define SCAN_POOL_BYTES 32768
#define SCAN_ENTRY_BYTES 64

enum scan_verdict {
	SCAN_MORE, /* the head is not complete, and good so far */
	SCAN_GOOD,
	SCAN_BAD,
};

struct scan {
	/* SCAN_BAD */
	enum problem problem;
	const char *detail; /* static */
	/* SCAN_GOOD */
	size_t len;        /* of the head */
	uint64_t body_len; /* 0 if is_chunked */
	bool is_chunked;
};

enum scan_verdict scan_head(const char *bytes, size_t len, struct scan *out);

#endif

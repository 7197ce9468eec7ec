#ifndef API_WIRE_URI_H
#define API_WIRE_URI_H

#include <stddef.h>

/* The request target (RFC 9112 3.2), split and percent-decoded (RFC 3986 2.1). Pure.
 *
 *	target  = ( "/" *( pchar / "/" ) / scheme "://" authority [ path ] ) [ "?" query ]
 *	query   = pair *( "&" pair ) ; pair = name [ "=" value ], "+" is a space
 *
 * One slash at the end of the path does not count. "%2F" in a segment is data. A target is
 * refused if it decodes to a control character or to bytes that are not UTF-8. So all strings in a
 * struct uri are C strings that can be compared and logged. */

#define URI_MAX 8192
#define URI_SEGMENTS 8
#define URI_PAIRS 16

enum uri_verdict {
	URI_OK,
	URI_BAD,       /* not a target: 400 */
	URI_TOO_LONG,  /* 414 */
	URI_NOT_FOUND, /* a valid target that no route can have: 404 */
};

struct uri_pair {
	const char *name;
	const char *value;
};

struct uri {
	const char *path; /* as received, without the query and one slash at the end */
	size_t n_segments;
	const char *segments[URI_SEGMENTS];
	size_t n_pairs; /* no name twice */
	struct uri_pair pairs[URI_PAIRS];
};

/* Room that uri_parse needs for a target of len octets. */
#define URI_SCRATCH(len) (2 * (len) + 4)

/* scratch: URI_SCRATCH(strlen(target)) octets; *u points into it. u->path is always set, at worst
 * to "". On URI_BAD *why is the text for the user (static). */
enum uri_verdict uri_parse(struct uri *u, const char *target, char *scratch, const char **why);

/* NULL if there is none. */
const char *uri_query(const struct uri *u, const char *name);

#endif

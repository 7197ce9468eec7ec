#ifndef API_WIRE_ROUTE_H
#define API_WIRE_ROUTE_H

#include <stddef.h>

/* The table of routes: one row for each route. api/routes.c has the table of the API; the server
 * gets it at its start. */

struct request;

enum http_method {
	HTTP_GET, /* HEAD too */
	HTTP_POST,
	HTTP_PATCH,
	HTTP_PUT,
	HTTP_DELETE
};

/* The body that a route expects. */
enum route_body {
	BODY_NONE,      /* a small one is read and ignored */
	BODY_NONE_BULK, /* the same; may read much of the store: takes turns (http/shares.h) */
	BODY_SMALL,     /* application/json (else 415 or 400) of at most ROUTE_SMALL_MAX octets */
	BODY_LARGE,     /* the same, of at most POSTERN_MAX_BODY_BYTES octets */
};
#define ROUTE_SMALL_MAX ((size_t)64 << 10)

typedef void request_fn(struct request *r);

struct route {
	enum http_method method;
	const char *path; /* "/v1/messages/{id}": a parameter matches one non-empty segment */
	unsigned scope;   /* any of these bits of enum key_scope; 0: no key is needed */
	request_fn *handle;
	const char *id_prefix; /* "msg": {id} must be such an id, else 404; NULL: any text */
	enum route_body body;
};

struct routes {
	const struct route *rows;
	size_t n;
};

#endif

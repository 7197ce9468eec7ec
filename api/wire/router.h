#ifndef API_WIRE_ROUTER_H
#define API_WIRE_ROUTER_H

#include "api/wire/route.h"
#include "api/wire/uri.h"

/* Finds the row of the table of routes that a request is for. Pure. */

#define ROUTER_PARAMS 4
#define ROUTER_ALLOW_MAX 64

enum router_method { ROUTER_METHOD_KNOWN, ROUTER_METHOD_OPTIONS, ROUTER_METHOD_OTHER };

struct router_match {
	const struct route *route; /* NULL: no row has this path and method */
	unsigned allowed;          /* bits of 1u << enum http_method; 0: no such path */
	size_t n_params;
	const char *params[ROUTER_PARAMS];
};

/* "GET" and "HEAD" give HTTP_GET. Methods are case-sensitive (RFC 9110 9.1). */
enum router_method router_method(const char *text, enum http_method *method);
/* method is used only if kind is ROUTER_METHOD_KNOWN. */
void router_lookup(const struct routes *routes, const struct uri *uri, enum router_method kind,
		   enum http_method method, struct router_match *match);
/* "GET, HEAD, OPTIONS" */
void router_allow(unsigned allowed, char out[ROUTER_ALLOW_MAX]);

#endif

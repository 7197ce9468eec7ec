/* Maps a path and a method to a row of the table of routes. */
#include "api/wire/router.h"

#include <stdio.h>
#include <string.h>

#include "server/base/id.h"

static const char *const names[] = {
	[HTTP_GET] = "GET", [HTTP_POST] = "POST",     [HTTP_PATCH] = "PATCH",
	[HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE",
};
#define METHODS (sizeof(names) / sizeof(*names))

enum router_method router_method(const char *text, enum http_method *method)
{
	for (size_t i = 0; i < METHODS; i++) {
		if (strcmp(text, names[i]) == 0) {
			*method = (enum http_method)i;
			return ROUTER_METHOD_KNOWN;
		}
	}
	/* RFC 9110 9.3.2: the same response as to GET, without the body. */
	if (strcmp(text, "HEAD") == 0) {
		*method = HTTP_GET;
		return ROUTER_METHOD_KNOWN;
	}
	return strcmp(text, "OPTIONS") == 0 ? ROUTER_METHOD_OPTIONS : ROUTER_METHOD_OTHER;
}

/* An id of another kind leads to no route, so it is 404 like an id that does not exist. */
static bool takes_param(const struct route *route, const char *name, size_t len, const char *value)
{
	if (route->id_prefix && len == 4 && memcmp(name, "{id}", 4) == 0)
		return id_valid(route->id_prefix, value);
	return true;
}

static bool match_route(const struct route *route, const struct uri *uri,
			struct router_match *match)
{
	const char *p = route->path;

	match->n_params = 0;
	for (size_t i = 0; i < uri->n_segments; i++) {
		const char *segment = uri->segments[i];
		size_t len;

		if (*p++ != '/')
			return false;
		len = strcspn(p, "/");
		if (*p != '{') {
			if (strlen(segment) != len || memcmp(segment, p, len) != 0)
				return false;
		} else if (match->n_params == ROUTER_PARAMS ||
			   !takes_param(route, p, len, segment)) {
			return false;
		} else {
			match->params[match->n_params++] = segment;
		}
		p += len;
	}
	return *p == 0;
}

void router_lookup(const struct routes *routes, const struct uri *uri, enum router_method kind,
		   enum http_method method, struct router_match *match)
{
	struct router_match found = {.route = NULL};

	for (size_t i = 0; i < routes->n; i++) {
		struct router_match row = {.route = &routes->rows[i]};

		if (!match_route(row.route, uri, &row))
			continue;
		row.allowed = found.allowed | 1u << row.route->method;
		/* Of two rows with this method, the first one counts. All rows with this path
		 * give the methods for Allow. */
		if (!found.route && kind == ROUTER_METHOD_KNOWN && row.route->method == method)
			found = row;
		else
			found.allowed = row.allowed;
	}
	*match = found;
}

void router_allow(unsigned allowed, char out[ROUTER_ALLOW_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < METHODS; i++)
		if (allowed & 1u << i)
			len += (size_t)snprintf(out + len, ROUTER_ALLOW_MAX - len, "%s%s, ",
						names[i], i == HTTP_GET ? ", HEAD" : "");
	snprintf(out + len, ROUTER_ALLOW_MAX - len, "OPTIONS");
}

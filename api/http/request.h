#ifndef API_HTTP_REQUEST_H
#define API_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "api/http/route.h"
#include "server/config/config.h"
#include "server/store/projects/keys.h"

struct loop;
struct redis;
struct request;

/* One HTTP request, as its handler sees it: read (bounded), authorised, routed. A handler responds
 * now or later (from a store callback) by one of the functions of answer.h; until then the
 * connection is suspended. The request stays valid until then, also when the client has hung up.
 * What these functions return lives as long as the request. */

/* What all handlers of a process share. */
struct api {
	struct loop *loop;
	struct redis *redis;
	const struct config *config;
	bool is_draining;
};

const struct api *request_api(const struct request *r);
const struct key *request_key(const struct request *r); /* NULL on routes without scope */
const char *request_id(const struct request *r);

/* Path parameter i (0 = first), percent-decoded. */
const char *request_param(const struct request *r, size_t i);
/* Query parameter, decoded; NULL: not given. */
const char *request_query(const struct request *r, const char *name);
/* The name of query parameter i (0 = first); NULL after the last. */
const char *request_query_name(const struct request *r, size_t i);
/* Header, NULL: not given. (A second one of those that must come once was refused before.) */
const char *request_header(const struct request *r, const char *name);
/* The raw body. */
const char *request_body(const struct request *r, size_t *len);
/* The method, and the path as received, without the query. */
const char *request_method_text(const struct request *r);
const char *request_path(const struct request *r);

/* A handler's own state, freed with free_fn after the response. */
void request_set_state(struct request *r, void *state, void (*free_fn)(void *));
void *request_state(const struct request *r);

#endif

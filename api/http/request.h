#ifndef API_HTTP_REQUEST_H
#define API_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "api/wire/route.h"
#include "server/config/config.h"
#include "server/store/projects/keys.h"

struct loop;
struct redis;
struct request;

/* One HTTP request, as its handler sees it: read, within the size limits; authorised; routed. A
 * handler responds now or later (from a callback of the store) by one of the functions of
 * response.h. Until then the connection is suspended and the request stays valid, even if the
 * client has closed the connection. All returned pointers are valid as long as the request. */

/* Shared by all handlers of a process. */
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
/* A header; NULL: not given. Headers that may occur only once were checked before. */
const char *request_header(const struct request *r, const char *name);
/* The raw body. */
const char *request_body(const struct request *r, size_t *len);
/* The method; the path as received, without the query and one slash at the end. */
const char *request_method_text(const struct request *r);
const char *request_path(const struct request *r);

/* A handler's own state, freed with free_fn after the response. */
void request_set_state(struct request *r, void *state, void (*free_fn)(void *));
void *request_state(const struct request *r);

#endif

#ifndef SERVER_ROUTE_ROUTER_H
#define SERVER_ROUTE_ROUTER_H

#include "server/base/err.h"
#include "server/route/route.h"

struct config;
struct loop;

/* Finds routes: to the relay (POSTERN_RELAY_URL) if there is one, else to the MX hosts of the
 * domain (RFC 5321 5.1, RFC 7505). Uses libunbound on the loop; nothing blocks. A route comes from
 * the cache, or from one lookup for all callers that wait for the domain. */

struct router;

/* Exactly one of route and failure is not NULL; both are borrowed for the call. */
typedef void router_fn(const struct route *route, const struct route_failure *failure, void *arg);

/* After the fork. Borrows config. ERR_INPUT: see router_check_config. */
int router_new(struct router **r, struct loop *loop, const struct config *config, struct err *e)
	__attribute__((warn_unused_result));
/* Cancels open lookups: their callbacks do not fire. Do not call it in a router_fn. */
void router_free(struct router *r);

/* domain: lower-case A-labels. fn fires exactly once, perhaps before this function returns, within
 * 30 s. At most 1,000 lookups are open; with more, fn gets a temporary failure. */
void router_find(struct router *r, const char *domain, router_fn *fn, void *arg);

/* Checks POSTERN_RELAY_URL, POSTERN_DNS_SERVERS and POSTERN_SMTP_PORT without using them.
 * ERR_INPUT. */
int router_check_config(const struct config *config, struct err *e);

#endif

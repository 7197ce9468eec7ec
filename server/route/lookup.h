#ifndef SERVER_ROUTE_LOOKUP_H
#define SERVER_ROUTE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/route/route.h"

struct dns;
struct loop;

/* One question: the MX records of a domain, then the addresses of its hosts, best first; or the
 * addresses of the relay's name. Ends within LOOKUP_MAX_MS, and LOOKUP_GRACE_MS after the first
 * host is known when others keep silent.
 *
 * Order of the result: preference, random inside a preference; the addresses of a host lie
 * together, IPv4 first and alternating with IPv6 (receivers judge IPv6 senders more strictly, and
 * a broken IPv6 path then costs a second try, not the attempt). One host gives at most three of the
 * ROUTE_HOSTS_MAX addresses while there are other hosts. */

#define LOOKUP_MAX_MS 30000
#define LOOKUP_GRACE_MS 5000

struct lookup_context {
	struct loop *loop;
	struct dns *dns;
	const char *own_name; /* an MX of this name, and what is worse, is dropped */
	const struct sockaddr_storage *own_addrs; /* likewise, unless allow_private */
	size_t n_own_addrs;
	uint64_t *random;
	uint16_t port;
	bool is_relay; /* the name is the host itself; every address is allowed */
	bool allow_private;
};

struct finding {
	bool is_route;
	struct route route;              /* site, hosts, n_hosts; the rest is the router's */
	uint16_t ranks[ROUTE_HOSTS_MAX]; /* hosts of equal rank may change places */
	struct route_failure failure;    /* when !is_route */
	uint32_t ttl_s;                  /* when is_route: smallest TTL seen */
};

/* finding is borrowed for the call; fn may free the lookup. */
typedef void lookup_fn(const struct finding *finding, void *arg);

struct lookup;

/* ctx is borrowed as long as the lookup lives. fn fires once, from the loop, never within this
 * call. */
int lookup_start(struct lookup **l, const struct lookup_context *ctx, const char *name,
		 lookup_fn *fn, void *arg) __attribute__((warn_unused_result));
void lookup_free(struct lookup *l); /* before fn fired: it will not */

#endif

#ifndef SERVER_ROUTE_LOOKUP_H
#define SERVER_ROUTE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/route/route.h"

struct dns;
struct loop;

/* One lookup: the MX records of a domain, then the addresses of its hosts, best first; or the
 * addresses of the relay. It ends within LOOKUP_MAX_MS. If some queries stay without an answer, it
 * ends LOOKUP_GRACE_MS after the first host that has one.
 *
 * Order of the result: by preference, random within a preference. The addresses of a host are
 * together, IPv4 and IPv6 alternate, IPv4 first: receivers are stricter with IPv6 senders, and if
 * IPv6 does not work, the next address is tried in the same attempt. A host has at most three of
 * the ROUTE_HOSTS_MAX addresses, unless it is the only one. */

#define LOOKUP_MAX_MS 30000
#define LOOKUP_GRACE_MS 5000

struct lookup_context {
	struct loop *loop;
	struct dns *dns;
	const char *own_name; /* an MX with this name and all not preferred to it are dropped */
	const struct sockaddr_storage
		*own_addrs; /* the same for an MX with such an address, unless allow_private */
	size_t n_own_addrs;
	uint64_t *random;
	uint16_t port;
	bool is_relay; /* the name is the host itself; every address is allowed */
	bool allow_private;
};

struct finding {
	bool is_route;
	struct route route;              /* site, hosts, n_hosts; the router sets the rest */
	uint16_t ranks[ROUTE_HOSTS_MAX]; /* hosts of equal rank may change places */
	struct route_failure failure;    /* when !is_route */
	uint32_t ttl_s;                  /* when is_route: smallest TTL seen */
};

/* finding is borrowed for the call; fn may free the lookup. */
typedef void lookup_fn(const struct finding *finding, void *arg);

struct lookup;

/* ctx is borrowed until lookup_free. fn fires once, from the loop, never within this call. -1: out
 * of memory. */
int lookup_start(struct lookup **l, const struct lookup_context *ctx, const char *name,
		 lookup_fn *fn, void *arg) __attribute__((warn_unused_result));
void lookup_free(struct lookup *l); /* fn will not fire any more */

#endif

#ifndef SERVER_ROUTE_HOSTS_H
#define SERVER_ROUTE_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/route/dns.h"
#include "server/route/lookup.h"

/* Collects the addresses of a host, and chooses which of them enter a finding. Pure. */

struct host_addresses {
	size_t n_v4, n_v6;
	struct in_addr v4[ROUTE_HOSTS_MAX];
	struct in6_addr v6[ROUTE_HOSTS_MAX];
	unsigned no_names;  /* how many of the queries for A and AAAA found no such name */
	bool is_failed;     /* one of the queries failed */
	bool has_forbidden; /* an address was dropped: private or reserved */
	bool is_own;        /* an address is one of this machine */
};

/* Adds the addresses of an answer, except those that ctx forbids. */
void hosts_note(struct host_addresses *h, const struct lookup_context *ctx, enum dns_type type,
		const struct dns_answer *answer);

/* Appends h's addresses, at most max of them, to f. */
void hosts_append(struct finding *f, const struct host_addresses *h, const char *name,
		  uint16_t rank, uint16_t port, size_t max);

/* Puts hosts of equal rank in random order. The addresses of a host stay together. */
void hosts_shuffle(struct finding *f, uint64_t *random);

#endif

/* Makes the list of addresses to try from the addresses of each host. */
#include "server/route/hosts.h"

#include <arpa/inet.h>
#include <string.h>

#include "server/route/mx.h"
#include "server/route/netblock.h"

static socklen_t make_addr(struct sockaddr_storage *out, enum dns_type type,
			   const union dns_address *from, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(out, 0, sizeof(*out));
	if (type == DNS_A) {
		v4.sin_addr = from->v4;
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	v6.sin6_addr = from->v6;
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

static bool is_same_ip(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct sockaddr_in a4, b4;
	struct sockaddr_in6 a6, b6;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET) {
		memcpy(&a4, a, sizeof(a4));
		memcpy(&b4, b, sizeof(b4));
		return a4.sin_addr.s_addr == b4.sin_addr.s_addr;
	}
	memcpy(&a6, a, sizeof(a6));
	memcpy(&b6, b, sizeof(b6));
	return memcmp(&a6.sin6_addr, &b6.sin6_addr, sizeof(a6.sin6_addr)) == 0;
}

static bool is_own_address(const struct lookup_context *ctx, const struct sockaddr_storage *addr)
{
	for (size_t i = 0; i < ctx->n_own_addrs; i++) {
		if (is_same_ip(&ctx->own_addrs[i], addr))
			return true;
	}
	return false;
}

/* The relay may have any address: the operator named it. */
static bool is_allowed(struct host_addresses *h, const struct lookup_context *ctx,
		       enum dns_type type, const union dns_address *address)
{
	struct sockaddr_storage addr;

	if (ctx->is_relay || ctx->allow_private)
		return true;
	make_addr(&addr, type, address, 0);
	/* A name of a public domain must not lead to hosts of the internal network. */
	if (netblock_is_private((const struct sockaddr *)&addr)) {
		h->has_forbidden = true;
		return false;
	}
	/* RFC 5321 5.1: mail that would go to ourselves is a loop. */
	if (is_own_address(ctx, &addr)) {
		h->is_own = true;
		return false;
	}
	return true;
}

void hosts_note(struct host_addresses *h, const struct lookup_context *ctx, enum dns_type type,
		const struct dns_answer *answer)
{
	if (answer->status == DNS_FAILED)
		h->is_failed = true;
	if (answer->status == DNS_NO_NAME)
		h->no_names++;
	if (answer->status != DNS_FOUND)
		return;
	for (size_t i = 0; i < answer->n; i++) {
		if (!is_allowed(h, ctx, type, &answer->addresses[i]))
			continue;
		if (type == DNS_A && h->n_v4 < ROUTE_HOSTS_MAX)
			h->v4[h->n_v4++] = answer->addresses[i].v4;
		if (type == DNS_AAAA && h->n_v6 < ROUTE_HOSTS_MAX)
			h->v6[h->n_v6++] = answer->addresses[i].v6;
	}
}

static void append_one(struct finding *f, enum dns_type type, const union dns_address *address,
		       const char *name, uint16_t port)
{
	struct route_host *host = &f->route.hosts[f->route.n_hosts++];

	memcpy(host->name, name, strlen(name) + 1);
	host->addr_len = make_addr(&host->addr, type, address, port);
}

/* IPv4 and IPv6 addresses of the host take turns, so one broken family costs one attempt. IPv4
 * is first. */
void hosts_append(struct finding *f, const struct host_addresses *h, const char *name,
		  uint16_t rank, uint16_t port, size_t max)
{
	size_t used4 = 0;
	size_t used6 = 0;

	while (used4 + used6 < max && f->route.n_hosts < ROUTE_HOSTS_MAX) {
		bool is_v4_turn = used4 <= used6 || used6 == h->n_v6;

		if (used4 == h->n_v4 && used6 == h->n_v6)
			return;
		f->ranks[f->route.n_hosts] = rank;
		if (is_v4_turn && used4 < h->n_v4)
			append_one(f, DNS_A, &(union dns_address){.v4 = h->v4[used4++]}, name,
				   port);
		else
			append_one(f, DNS_AAAA, &(union dns_address){.v6 = h->v6[used6++]}, name,
				   port);
	}
}

/* Stable: the addresses of a host have the same key. */
static void sort_by_keys(struct finding *f, uint64_t keys[ROUTE_HOSTS_MAX])
{
	for (size_t i = 1; i < f->route.n_hosts; i++) {
		struct route_host host = f->route.hosts[i];
		uint16_t rank = f->ranks[i];
		uint64_t key = keys[i];
		size_t j = i;

		for (; j > 0 && f->ranks[j - 1] == rank && keys[j - 1] > key; j--) {
			f->route.hosts[j] = f->route.hosts[j - 1];
			keys[j] = keys[j - 1];
		}
		f->route.hosts[j] = host;
		keys[j] = key;
	}
}

/* RFC 5321 5.1: hosts of equal preference are tried in random order. Addresses of one host stay
 * together. */
void hosts_shuffle(struct finding *f, uint64_t *random)
{
	uint64_t keys[ROUTE_HOSTS_MAX];

	for (size_t i = 0; i < f->route.n_hosts; i++) {
		bool is_same_host =
			i > 0 && strcmp(f->route.hosts[i].name, f->route.hosts[i - 1].name) == 0;

		keys[i] = is_same_host ? keys[i - 1] : mx_random(random);
	}
	sort_by_keys(f, keys);
}

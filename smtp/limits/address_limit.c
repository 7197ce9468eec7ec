/* Limits the connections to one address that are not ready for mail yet. */
#include "smtp/limits/address_limit.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define IPV6_NETWORK_BYTES 8 /* a /64 */

/* IPv4 as ::ffff:a.b.c.d. All other families share the network of zeros. */
static void network_of(const struct sockaddr *addr, unsigned char out[16])
{
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;

	memset(out, 0, 16);
	if (addr->sa_family == AF_INET6) {
		memcpy(out, &v6->sin6_addr,
		       IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 16 : IPV6_NETWORK_BYTES);
	} else if (addr->sa_family == AF_INET) {
		out[10] = out[11] = 0xff;
		memcpy(out + 12, &v4->sin_addr, 4);
	}
}

static struct address_call **list_of(struct address_limit *l, const unsigned char network[16])
{
	unsigned hash = 0;

	for (int i = 0; i < 16; i++)
		hash = hash * 31 + network[i];
	return &l->lists[(hash ^ hash >> 8) % ADDRESS_LIMIT_LISTS];
}

enum address_verdict address_limit_enter(struct address_limit *l, struct address_call *call,
					 const struct sockaddr *addr, int64_t now_ms)
{
	struct address_call **list;
	int64_t oldest_ms = now_ms;
	unsigned n = 0;

	network_of(addr, call->network);
	list = list_of(l, call->network);
	for (const struct address_call *other = *list; other; other = other->next) {
		if (memcmp(other->network, call->network, sizeof(call->network)) != 0)
			continue;
		n++;
		oldest_ms = other->since_ms < oldest_ms ? other->since_ms : oldest_ms;
	}
	if (n >= l->most)
		return now_ms - oldest_ms >= ADDRESS_LIMIT_SILENT_MS ? ADDRESS_SILENT
								     : ADDRESS_BUSY;
	call->since_ms = now_ms;
	call->next = *list;
	call->at = list;
	if (call->next)
		call->next->at = &call->next;
	*list = call;
	return ADDRESS_FREE;
}

void address_limit_leave(struct address_call *call)
{
	if (!call->at)
		return;
	*call->at = call->next;
	if (call->next)
		call->next->at = call->at;
	call->at = NULL;
}

/* Limits the connections to one address that are not ready for mail yet. */
#include "smtp/limits/address_limit.h"

#include <string.h>

static struct address_call **list_of(struct address_limit *l,
				     const uint8_t network[ADDRESS_LIMIT_OCTETS])
{
	unsigned hash = 0;

	for (int i = 0; i < ADDRESS_LIMIT_OCTETS; i++)
		hash = hash * 31 + network[i];
	return &l->lists[(hash ^ hash >> 8) % ADDRESS_LIMIT_LISTS];
}

enum address_verdict address_limit_enter(struct address_limit *l, struct address_call *call,
					 const uint8_t network[ADDRESS_LIMIT_OCTETS],
					 int64_t now_ms)
{
	struct address_call **list = list_of(l, network);
	unsigned n = 0, n_silent = 0;

	for (const struct address_call *other = *list; other; other = other->next) {
		if (memcmp(other->network, network, ADDRESS_LIMIT_OCTETS) != 0)
			continue;
		n++;
		n_silent += now_ms - other->since_ms >= ADDRESS_LIMIT_SILENT_MS;
	}
	if (n >= l->most)
		return 2 * n_silent >= n ? ADDRESS_SILENT : ADDRESS_BUSY;
	memcpy(call->network, network, ADDRESS_LIMIT_OCTETS);
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

#ifndef SMTP_LIMITS_ADDRESS_LIMIT_H
#define SMTP_LIMITS_ADDRESS_LIMIT_H

#include <stdint.h>

/* Limits the connections to one address that are not ready for mail yet. So a host that accepts
 * connections and sends nothing cannot hold all connections of a relay. Pure. */

#define ADDRESS_LIMIT_LISTS 256
#define ADDRESS_LIMIT_OCTETS 16
/* An address at its limit is silent if at least half of its connections have waited so long. One
 * that got stuck says nothing about the host. */
#define ADDRESS_LIMIT_SILENT_MS 10000

/* A connection that counts for its address. Zeroed: it counts for none. */
struct address_call {
	struct address_call *next;
	struct address_call **at; /* what points to this one; NULL = on no list */
	uint8_t network[ADDRESS_LIMIT_OCTETS];
	int64_t since_ms;
};

/* Zeroed; then the owner fills in most. */
struct address_limit {
	unsigned most; /* for one address */
	struct address_call *lists[ADDRESS_LIMIT_LISTS];
};

enum address_verdict {
	ADDRESS_FREE,   /* the call counts from now on */
	ADDRESS_BUSY,   /* the limit is reached: ask again soon */
	ADDRESS_SILENT, /* the limit is reached, and the host has been silent for a while */
};

/* call must count for no address. network: from networks_client (server/config/networks.h). now_ms:
 * monotonic. */
enum address_verdict address_limit_enter(struct address_limit *l, struct address_call *call,
					 const uint8_t network[ADDRESS_LIMIT_OCTETS],
					 int64_t now_ms);
/* The connection is ready or over. Does nothing if the call counts for no address. */
void address_limit_leave(struct address_call *call);

#endif

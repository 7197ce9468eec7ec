#ifndef SMTP_RELAY_CHANNEL_CONNECT_H
#define SMTP_RELAY_CHANNEL_CONNECT_H

#include "server/base/buf.h"
#include "server/base/loop.h"
#include "smtp/client/transcript.h"
#include "smtp/limits/address_limit.h"
#include "smtp/relay/channel.h"
#include "smtp/client/host_walk.h"

/* Connects a channel to the hosts of its route, one after the other. For the files channel*.c only.
 */

struct channel {
	struct channel *next, *prev; /* of its list */
	struct channel_pool *pool;
	enum channel_state state;
	struct connection *connection;
	struct delivery *delivery;
	struct slot *slot;
	struct host_walk hosts;
	bool is_partial;          /* hosts are missing from the route */
	bool is_tried;            /* a connection to a host was tried */
	bool has_yielded;         /* it connects to no further host */
	struct sink_peer *sink;   /* the other end, when the channel leads to the sink */
	struct address_call call; /* counts while it connects */
	struct transcript transcript;
	struct buf tried;             /* lines of the hosts that failed before this one */
	struct connection_facts last; /* of the connection that failed or is being opened */
	struct connection_result why; /* the failure to report if no host is left */
	unsigned n_mails;
	int64_t opened_ms, since_ms; /* the channel; see channel_since_ms */
	struct loop_timer timer;     /* ends an idle channel; asks again for room at the address */
};

/* Connects to the next host that can be tried, now or when there is room for its address. If no
 * host is left, the channel is freed and on_failed called. */
void channel_try_hosts(struct channel *c);
/* The connection failed before it was ready: tries the next host, or the same one without TLS. */
void channel_try_next_host(struct channel *c, const struct connection_facts *facts,
			   const struct connection_result *why);

/* In channel.c. */
extern const struct connection_callbacks channel_connection_callbacks;
/* Frees the channel, and returns its slot. */
struct slot *channel_free(struct channel *c);

#endif

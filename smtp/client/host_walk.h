#ifndef SMTP_CLIENT_HOST_WALK_H
#define SMTP_CLIENT_HOST_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "server/route/route.h"
#include "smtp/client/connection.h"

/* The hosts of a route in the order in which a channel tries them. Pure. */

struct host_walk {
	struct route route;
	size_t at;           /* the host to try; n_hosts = none is left */
	unsigned n_sessions; /* hosts that accepted the connection and refused the session */
	bool is_clear;       /* the TLS handshake with this host failed: try it without TLS */
};

/* The host to try, or NULL. */
const struct route_host *host_walk_host(const struct host_walk *w);
/* No connection to this host can be opened: moves on to the next one. */
void host_walk_skip(struct host_walk *w);
/* The session with this host failed before it was ready: moves on to the next host, or to the same
 * one without TLS. Returns the result to report if no host is left. */
struct connection_result host_walk_fail(struct host_walk *w, const struct connection_facts *facts,
					const struct connection_result *why);

#endif

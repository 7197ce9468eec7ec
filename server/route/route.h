#ifndef SERVER_ROUTE_ROUTE_H
#define SERVER_ROUTE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "server/route/netblock.h" /* for whoever connects: checks the address again */

/* Where mail for a domain goes: to the relay (POSTERN_RELAY_URL), else to the MX hosts of the
 * domain. router.h finds routes. */

#define ROUTE_SITE_MAX 256
#define ROUTE_HOSTS_MAX 5 /* addresses tried in one attempt */

enum route_tls { ROUTE_TLS_OPPORTUNISTIC, ROUTE_TLS_REQUIRED, ROUTE_TLS_IMPLICIT };

struct route_host {
	char name[256];               /* of the MX host or relay, A-labels; for SNI, too */
	struct sockaddr_storage addr; /* with port */
	socklen_t addr_len;
};

struct route {
	char site[ROUTE_SITE_MAX]; /* limits and slots count by site; router.c defines its name */
	bool is_relay;
	enum route_tls tls;
	bool verify;                 /* the certificate must be valid for the host's name */
	const char *user, *password; /* AUTH at the relay, NULL = none; owned by the router */
	const char *ca_file;         /* NULL = the system's authorities */
	struct route_host hosts[ROUTE_HOSTS_MAX]; /* in the order to try */
	size_t n_hosts;
};

/* Why there is no route. No server was reached, so there is no reply code. */
struct route_failure {
	bool is_permanent;
	char text[200]; /* printable ASCII: "example.com accepts no mail (null MX)" */
};

#endif

#ifndef SERVER_ROUTE_ROUTE_H
#define SERVER_ROUTE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "server/base/err.h"
#include "server/route/netblock.h" /* for the connector: ask again at connect time */

struct loop;
struct config;

/* Where mail for a domain goes: to one smarthost (POSTERN_RELAY_URL), else to the domain's MX hosts
 * (RFC 5321 5.1, RFC 7505) by libunbound on the loop, never blocking. Bound at take, never at
 * accept. */

#define ROUTE_SITE_MAX 256
#define ROUTE_HOSTS_MAX 5 /* addresses tried in one attempt */

enum route_tls { ROUTE_TLS_OPPORTUNISTIC, ROUTE_TLS_REQUIRED, ROUTE_TLS_IMPLICIT };

struct route_host {
	char name[256];               /* MX host or relay name, A-labels; also SNI */
	struct sockaddr_storage addr; /* with port */
	socklen_t addr_len;
};

struct route {
	char site[ROUTE_SITE_MAX]; /* what limits and slots count for; see route.c for how it is
				      made */
	bool is_relay;
	enum route_tls tls;
	bool verify; /* certificate must match name (relay with TLS required or implicit) */
	const char *user, *password; /* AUTH of the relay, NULL = none; owned by the router */
	const char *ca_file;         /* NULL = the system's */
	struct route_host hosts[ROUTE_HOSTS_MAX]; /* in the order to try */
	size_t n_hosts;
};

/* Why there is no route: code and text go to the recipient's result.
 * RFC 3463 / 7505 / 5321: 5.1.2 no such domain, 5.1.10 null MX, 4.4.3 DNS failure, 5.4.4 / 4.4.4 no
 * usable host. */
struct route_failure {
	bool is_permanent;
	int code;       /* 550, 556, 451 ... as a server would have said it */
	char text[200]; /* "5.1.10 example.com accepts no mail (null MX)" */
};

/* Exactly one of route and failure is not NULL; both are borrowed for the call. */
typedef void route_fn(const struct route *route, const struct route_failure *failure, void *arg);

struct router;

/* After the fork. Keeps what it needs of config (borrowed). */
int router_new(struct router **r, struct loop *loop, const struct config *config, struct err *e);
/* Drops open questions: their callbacks do not fire. Not from within a route_fn. */
void router_free(struct router *r);

/* Asks for the route of domain (lower-case A-labels). fn fires once, perhaps before this returns.
 * At most 1,000 questions are open; above that: temporary failure. Each ends within 30 s. */
void router_find(struct router *r, const char *domain, route_fn *fn, void *arg);

/* Checks POSTERN_RELAY_URL and POSTERN_DNS_SERVERS without using them. ERR_INPUT. */
int route_check_config(const struct config *config, struct err *e);

#endif

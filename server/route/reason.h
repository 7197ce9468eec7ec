#ifndef SERVER_ROUTE_REASON_H
#define SERVER_ROUTE_REASON_H

#include "server/route/route.h"

/* Why there is no route. What a name server said for certain is permanent; what it failed to say,
 * and what our own limits or our relay cause, is temporary. */
enum reason {
	REASON_NONE,
	REASON_BAD_DOMAIN,       /* not a domain name */
	REASON_NO_DOMAIN,        /* NXDOMAIN */
	REASON_NULL_MX,          /* RFC 7505 */
	REASON_NO_MAIL_HOST,     /* no MX and no address */
	REASON_BAD_MX_NAMES,     /* MX records, none of which names a host */
	REASON_LOOP,             /* the best MX has our name */
	REASON_OWN_ADDRESS,      /* the best MX has our address */
	REASON_DNS,              /* SERVFAIL, REFUSED, timeout, bogus */
	REASON_MX_UNKNOWN,       /* all MX hosts are NXDOMAIN */
	REASON_MX_NO_ADDRESS,    /* the MX hosts exist, without addresses */
	REASON_PRIVATE,          /* none but forbidden addresses */
	REASON_RELAY_NO_ADDRESS, /* the relay's name has no address */
	REASON_BUSY,             /* too many open questions */
};

/* name: the domain, or the relay's host. */
void reason_explain(enum reason reason, const char *name, struct route_failure *out);

#endif

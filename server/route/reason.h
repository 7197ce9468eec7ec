#ifndef SERVER_ROUTE_REASON_H
#define SERVER_ROUTE_REASON_H

#include "server/route/route.h"

/* Why there is no route. Definite results of the DNS are permanent failures. Failed lookups, our
 * own limits and problems with our relay are temporary failures. */
enum reason {
	REASON_NONE,
	REASON_BAD_DOMAIN,       /* the destination is not a domain name */
	REASON_NO_DOMAIN,        /* NXDOMAIN */
	REASON_NULL_MX,          /* RFC 7505 */
	REASON_NO_MAIL_HOST,     /* no MX and no address */
	REASON_BAD_MX_NAMES,     /* no MX record names a host */
	REASON_LOOP,             /* the best MX has our name */
	REASON_OWN_ADDRESS,      /* the best MX has our address */
	REASON_DNS,              /* SERVFAIL, REFUSED, timeout, bogus */
	REASON_MX_UNKNOWN,       /* all MX hosts are NXDOMAIN */
	REASON_MX_NO_ADDRESS,    /* the MX hosts exist, without addresses */
	REASON_PRIVATE,          /* all addresses are private or reserved */
	REASON_RELAY_NO_ADDRESS, /* the relay's name has no address */
	REASON_BUSY,             /* too many lookups in progress */
};

/* Fills out. name: the domain, or the relay's host; any octets. */
void reason_explain(enum reason reason, const char *name, struct route_failure *out);

#endif

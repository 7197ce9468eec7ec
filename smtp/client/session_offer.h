#ifndef SMTP_CLIENT_SESSION_OFFER_H
#define SMTP_CLIENT_SESSION_OFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/client/reply.h"

/* Reads from a server's replies its name, and the extensions in its reply to EHLO (RFC 5321
 * 4.1.1.1). Pure. */

enum session_extension {
	OFFER_PIPELINING = 1, /* RFC 2920 */
	OFFER_STARTTLS = 2,   /* RFC 3207 */
	OFFER_8BITMIME = 4,   /* RFC 6152 */
	OFFER_SIZE = 8,       /* RFC 1870 */
	OFFER_PLAIN = 16,     /* AUTH, RFC 4954 */
	OFFER_LOGIN = 32,
};

/* Zeroed: nothing is offered. */
struct session_offer {
	unsigned extensions; /* a set of enum session_extension */
	size_t size_limit;   /* octets of a mail; 0 = no limit is known */
};

/* Adds the extensions of a 2xx reply to EHLO. Unknown and malformed keywords are skipped. */
void session_offer_read(struct session_offer *out, const struct reply *r);

/* True if the reply begins with this host name. Greetings and replies to EHLO begin with the name
 * of the server (RFC 5321 4.2, 4.1.1.1). Case does not matter. */
bool session_offer_is_from(const struct reply *r, const char *host_name);

#endif

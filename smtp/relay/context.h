#ifndef SMTP_RELAY_CONTEXT_H
#define SMTP_RELAY_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/mail/dkim.h"
#include "smtp/limits/address_limit.h"
#include "smtp/limits/shares.h"

struct config;
struct journal;
struct loop;
struct redis;
struct router;
struct sink;
struct tls_context;

/* Shared by the parts of a relay process. relay_role.c opens and closes it; all others borrow it.
 *
 * Calls go down, callbacks go up:
 *
 *	relay (what to take) -> site (waiting deliveries, slots) -> channel (one connection)
 *		-> delivery (one job) -> settlement (journal and store) -> results, attempt_report
 */
struct relay_context {
	const struct config *config;
	struct loop *loop;
	struct redis *redis;
	const char *owner; /* of leases, slots and the journal */
	struct router *router;
	struct dkim_keys dkim; /* none = do not sign */
	struct tls_context *tls;
	struct journal *journal;
	struct sink *sink;
	struct shares shares;           /* of the connections */
	struct address_limit addresses; /* of hosts; not of the relays in POSTERN_RELAY_URL */
	const char *helo_name;          /* "" = an address literal is sent */
	int64_t next_unsigned_log_ms;   /* written by envelope_sign alone */
	bool is_draining;               /* start nothing new; written by relay_drain alone */
};

#endif

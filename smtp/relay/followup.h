#ifndef SMTP_RELAY_FOLLOWUP_H
#define SMTP_RELAY_FOLLOWUP_H

#include <stdbool.h>
#include <stddef.h>

struct connection_result;
struct delivery;
struct host_walk;

/* Decides what follows a transaction within the same attempt. Pure. */

enum followup {
	FOLLOWUP_NONE,       /* the result stands */
	FOLLOWUP_SAME_HOST,  /* too many recipients for one transaction (RFC 5321 4.5.3.1.10):
				another  one with the rest */
	FOLLOWUP_OTHER_HOST, /* the next host of the route may take it (RFC 5321 5.1) */
};

/* For one recipient. No other host is tried after a temporary reply about this recipient alone:
 * mailbox full, greylisting, a time to try again. */
enum followup followup_of(const struct connection_result *r);

/* Corrects the outcome of the first n results of d where the reply code alone is misleading. If an
 * MX demands authentication, or TLS that we cannot use, the mail bounces. "Too many recipients"
 * never bounces. has_tls_failed: TLS may work next time. */
void followup_correct(struct delivery *d, size_t n, bool has_tls_failed);

/* Removes a host that was tried from the route. False: no other host is left. */
bool followup_avoid(struct delivery *d, const char *host);
/* Takes out the hosts of the walk that let no channel in. A host stays when another of its
 * addresses let the channel in. */
void followup_avoid_failed(struct delivery *d, const struct host_walk *w);

/* Chooses the next transaction after one with `host`. Sorts the recipients of d: first d->n_open
 * for the next transaction, then those that stay deferred, last d->n_ended with a final result. For
 * FOLLOWUP_OTHER_HOST the host is removed from the route. FOLLOWUP_NONE: only the order changed. */
enum followup followup_plan(struct delivery *d, const char *host);

#endif

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
	FOLLOWUP_SAME_HOST,  /* too many recipients for one transaction (RFC 5321 4.5.3.1.10): one
				more  with the rest */
	FOLLOWUP_OTHER_HOST, /* the next host of the route may take it (RFC 5321 5.1) */
};

/* For one recipient. A temporary reply about this recipient alone stands: mailbox full,
 * greylisting, a time to come back. */
enum followup followup_of(const struct connection_result *r);

/* Corrects the first n results of d where the reply code says less than we know. An MX that demands
 * authentication or TLS that we cannot give bounces; "too many recipients" never does.
 * has_tls_failed: TLS may work next time. */
void followup_correct(struct delivery *d, size_t n, bool has_tls_failed);

/* Takes a host that was tried out of the route. False: no other host is left. */
bool followup_avoid(struct delivery *d, const char *host);
/* Takes out the hosts of the walk that let no channel in. A host stays when another of its
 * addresses let the channel in. */
void followup_avoid_failed(struct delivery *d, const struct host_walk *w);

/* Chooses the next transaction after one with `host`. Sorts the recipients of d: first d->n_open
 * for the next transaction, then those that stay deferred, last d->n_ended with a final result. For
 * FOLLOWUP_OTHER_HOST the host is taken out of the route. FOLLOWUP_NONE: nothing changed but the
 * order. */
enum followup followup_plan(struct delivery *d, const char *host);

#endif

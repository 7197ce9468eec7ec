#ifndef SMTP_LIMITS_SHARES_H
#define SMTP_LIMITS_SHARES_H

#include <stdbool.h>

struct buf;

/* Shares the connections of a relay among tenants. Pure.
 *
 * A tenant is capped while it holds three times as many connections as are left. So one tenant gets
 * at most three quarters of the limit, two get three sevenths each, and n get 3 / (3n + 1) each: a
 * tenant without a connection always finds one, up to (limit - 1) / 3 tenants. Beyond that, when no
 * connection is left, the tenants with at least limit / n are capped.
 *
 * The last connections are for lane otp alone: a sixteenth, at least 2, at most an eighth. */

#define SHARE_TENANT_MAX 16

/* The connections of one tenant, opened or granted. */
struct share {
	struct share *next;
	unsigned n; /* > 0 */
	char tenant[SHARE_TENANT_MAX];
};

/* Zeroed; then the owner fills in limit. */
struct shares {
	unsigned limit;
	unsigned n; /* of all tenants */
	unsigned n_tenants;
	struct share *first;
};

/* Counts one more connection of the tenant. Returns its share, which shares_drop takes. NULL: out
 * of memory. */
struct share *shares_add(struct shares *s, const char *tenant);
/* One connection less. Frees the share if it was the last one. */
void shares_drop(struct shares *s, struct share *share);

/* How many connections may be opened now. They can be more than the limit for a moment. */
unsigned shares_room(const struct shares *s);
/* Those that may be opened in one step. Only a quarter, so that the tenants that would be over
 * their share are capped before the next step. */
struct shares_step {
	unsigned any; /* for jobs of any lane */
	unsigned otp; /* further ones, for lane otp alone */
};
struct shares_step shares_step(const struct shares *s);
bool shares_is_capped(const struct shares *s, const struct share *share);
/* Appends the tenants that are capped, with a blank after each. */
void shares_write_capped(const struct shares *s, struct buf *out);

#endif

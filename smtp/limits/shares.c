/* Shares the connections of a relay among tenants. */
#include "smtp/limits/shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"

#define TIMES_LEFT 3 /* connections of a tenant for each one that is left */
#define OTP_PART 16
#define OTP_LEAST 2
#define OTP_MOST_PART 8

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned quarter(unsigned n)
{
	return (n + 3) / 4;
}

struct share *shares_add(struct shares *s, const char *tenant)
{
	struct share *share = s->first;

	while (share && strcmp(share->tenant, tenant) != 0)
		share = share->next;
	if (!share) {
		share = calloc(1, sizeof(*share));
		if (!share)
			return NULL;
		snprintf(share->tenant, sizeof(share->tenant), "%s", tenant);
		share->next = s->first;
		s->first = share;
		s->n_tenants++;
	}
	share->n++;
	s->n++;
	return share;
}

void shares_drop(struct shares *s, struct share *share)
{
	struct share **at = &s->first;

	s->n--;
	if (--share->n)
		return;
	while (*at != share)
		at = &(*at)->next;
	*at = share->next;
	s->n_tenants--;
	free(share);
}

unsigned shares_room(const struct shares *s)
{
	return s->n < s->limit ? s->limit - s->n : 0;
}

/* A sixteenth of the connections is kept for lane otp: at least 2, but never more than an
 * eighth. */
static unsigned otp_reserve(unsigned limit)
{
	unsigned part = limit / OTP_PART;

	return least(part < OTP_LEAST ? OTP_LEAST : part, limit / OTP_MOST_PART);
}

struct shares_step shares_step(const struct shares *s)
{
	unsigned room = shares_room(s), reserve = otp_reserve(s->limit);
	unsigned any = room > reserve ? room - reserve : 0;

	return (struct shares_step){.any = quarter(any), .otp = quarter(room - any)};
}

bool shares_is_capped(const struct shares *s, const struct share *share)
{
	unsigned room = shares_room(s);

	/* When nothing is left, a tenant that has its equal share is capped. */
	return room ? share->n >= TIMES_LEFT * room : share->n >= s->limit / s->n_tenants;
}

void shares_write_capped(const struct shares *s, struct buf *out)
{
	for (const struct share *share = s->first; share; share = share->next)
		if (shares_is_capped(s, share))
			buf_fmt(out, "%s ", share->tenant);
}

#ifndef SERVER_ROUTE_MX_H
#define SERVER_ROUTE_MX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/route/dns.h"
#include "server/route/reason.h"

/* Which of a domain's MX records are hosts to try, and in what order (RFC 5321 5.1, RFC 7505).
 * Pure: records in, order out. */

/* A host name by RFC 1123 2.1: labels of letters, digits and inner hyphens, 1-63 each, 253 in all;
 * the last not all digits, so that no IPv4 address passes. No underscore, no final dot. */
bool mx_is_host_name(const char *name);

/* Keeps, in place and in order, the records that name a host: null MX is seen, invalid names and
 * repeats are dropped, and where own_name appears, it and all of its preference or worse (they
 * would bring the mail back here). list is sorted by preference, then name.
 * REASON_NONE and *n > 0; else why nothing is left (NULL_MX, BAD_MX_NAMES, LOOP). */
enum reason mx_keep_hosts(struct dns_mx *list, size_t *n, const char *own_name);

/* The site: the names of best preference, sorted, joined by ","; when that is long, the first name,
 * "+" and a hash of all. Of letters, digits, ".", "-", ",", "+". list as left by mx_keep_hosts. */
void mx_site(const struct dns_mx *list, size_t n, char site[ROUTE_SITE_MAX]);

/* Random order inside each preference. */
void mx_shuffle(struct dns_mx *list, size_t n, uint64_t *random);

/* The next number of a sequence that is good enough to spread load. Any state is a seed. */
uint64_t mx_random(uint64_t *state);

#endif

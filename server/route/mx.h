#ifndef SERVER_ROUTE_MX_H
#define SERVER_ROUTE_MX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/route/dns.h"
#include "server/route/reason.h"

/* Chooses which MX hosts of a domain to try, and in what order (RFC 5321 5.1, RFC 7505). Pure. */

/* True for a valid name of a mail host: labels of letters, digits, "-" and "_", 1-63 octets each,
 * 253 in all. RFC 2181 11 lets a name in the DNS hold any octet, and MX hosts with "_" exist. The
 * last label is not all digits: that would be an IPv4 address. No final dot. */
bool mx_is_host_name(const char *name);

/* Keeps, in place and in order, the records that name a host. Drops invalid names and repeats.
 * Drops own_name and all hosts of equal or lower preference: they would send the mail back to us.
 * list is sorted by preference, then name. Returns REASON_NONE with *n > 0, else why no host is
 * left: NULL_MX, BAD_MX_NAMES or LOOP. */
enum reason mx_keep_hosts(struct dns_mx *list, size_t *n, const char *own_name);

/* The name of the site: the hosts of best preference, sorted, joined by ","; if that is long, the
 * first host, "+" and a hash of all. list as left by mx_keep_hosts. */
void mx_site(const struct dns_mx *list, size_t n, char site[ROUTE_SITE_MAX]);

/* Puts hosts of equal preference in random order. */
void mx_shuffle(struct dns_mx *list, size_t n, uint64_t *random);

/* The next number of a pseudo-random sequence (splitmix64), for spreading load. Any state is a
 * seed.
 */
uint64_t mx_random(uint64_t *state);

#endif

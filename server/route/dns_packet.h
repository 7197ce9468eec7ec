#ifndef SERVER_ROUTE_DNS_PACKET_H
#define SERVER_ROUTE_DNS_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "server/route/dns.h"

/* Reads the records of one type from the answer section of a DNS message (RFC 1035 4.1), as
 * libunbound hands it over: it has followed CNAMEs and thrown out what does not belong. Names are
 * expanded by libc. At most DNS_RECORDS_MAX records are kept; of more MX records those of best
 * preference, of more addresses the first.
 *
 * Sets status (never DNS_FAILED), ttl_s and records; -1 when the message is malformed, its code is
 * neither NOERROR nor NXDOMAIN, or memory is short. */
int dns_packet_read(const uint8_t *packet, size_t len, enum dns_type type, struct dns_answer *out)
	__attribute__((warn_unused_result));

#endif

#ifndef SERVER_ROUTE_DNS_PACKET_H
#define SERVER_ROUTE_DNS_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "server/route/dns.h"

/* Reads the records of one type from the answer section of a DNS message (RFC 1035 4.1). libunbound
 * has followed CNAMEs and removed unrelated records. libc expands names. At most DNS_RECORDS_MAX
 * records are kept: the MX records of best preference, the first addresses.
 *
 * Sets status (never DNS_FAILED), ttl_s and records. -1: the message is malformed, its code is
 * neither NOERROR nor NXDOMAIN, or out of memory. */
int dns_packet_read(const uint8_t *packet, size_t len, enum dns_type type, struct dns_answer *out)
	__attribute__((warn_unused_result));

#endif

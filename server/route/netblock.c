/* The addresses that are not globally reachable. */
#include "server/route/netblock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block4 {
	uint32_t net;
	unsigned bits;
};

struct block6 {
	uint8_t net[4]; /* no block in the table is longer than 32 bits */
	unsigned bits;
};

static const struct block4 forbidden4[] = {
	{0x00000000, 8},  /* 0.0.0.0/8: this network; 0.0.0.0 connects to ourselves */
	{0x0a000000, 8},  /* 10/8 */
	{0x64400000, 10}, /* 100.64/10: carrier-grade NAT, RFC 6598 */
	{0x7f000000, 8},  /* 127/8 */
	{0xa9fe0000, 16}, /* 169.254/16: link-local, cloud metadata */
	{0xac100000, 12}, /* 172.16/12 */
	{0xc0000000, 24}, /* 192.0.0/24: protocol assignments */
	{0xc0000200, 24}, /* 192.0.2/24: documentation */
	{0xc0586300, 24}, /* 192.88.99/24: 6to4 relays, RFC 7526 */
	{0xc0a80000, 16}, /* 192.168/16 */
	{0xc6120000, 15}, /* 198.18/15: benchmarks */
	{0xc6336400, 24}, /* 198.51.100/24: documentation */
	{0xcb007100, 24}, /* 203.0.113/24: documentation */
	{0xe0000000, 4},  /* multicast */
	{0xf0000000, 4},  /* reserved, and 255.255.255.255 */
};

/* Global unicast is 2000::/3 without these. Everything outside of 2000::/3 is refused (::1,
 * fc00::/7, fe80::/10, ff00::/8, ::ffff:0:0/96, 64:ff9b::/96, 100::/64, 5f00::/16 ...). */
static const struct block6 forbidden6[] = {
	{{0x20, 0x01, 0x00, 0x00}, 23}, /* 2001::/23: protocol assignments, Teredo, ORCHID */
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* 2001:db8::/32: documentation */
	{{0x20, 0x02, 0x00, 0x00}, 16}, /* 2002::/16: 6to4 */
	{{0x3f, 0xff, 0x00, 0x00}, 20}, /* 3fff::/20: documentation */
};

static bool is_private4(const struct in_addr *addr)
{
	uint32_t host = ntohl(addr->s_addr);

	for (size_t i = 0; i < sizeof(forbidden4) / sizeof(*forbidden4); i++) {
		unsigned shift = 32 - forbidden4[i].bits;

		if (host >> shift == forbidden4[i].net >> shift)
			return true;
	}
	return false;
}

static uint32_t first_word(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static bool is_private6(const struct in6_addr *addr)
{
	uint32_t head = first_word(addr->s6_addr);

	if (head >> 29 != 1)
		return true;
	for (size_t i = 0; i < sizeof(forbidden6) / sizeof(*forbidden6); i++) {
		unsigned shift = 32 - forbidden6[i].bits;

		if (head >> shift == first_word(forbidden6[i].net) >> shift)
			return true;
	}
	return false;
}

bool netblock_is_private(const struct sockaddr *addr)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (addr->sa_family == AF_INET) {
		memcpy(&v4, addr, sizeof(v4));
		return is_private4(&v4.sin_addr);
	}
	if (addr->sa_family == AF_INET6) {
		memcpy(&v6, addr, sizeof(v6));
		return is_private6(&v6.sin6_addr);
	}
	return true;
}

/* Lists of networks in settings. */
#include "server/config/networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "server/base/number.h"

#define SEPARATORS ", "
#define V4_PREFIX_BITS 96
#define V6_HOST_OCTETS 8 /* the part after a /64 */

/* IPv4 addresses are compared as IPv6 addresses, ::ffff:a.b.c.d (RFC 4291 2.5.5.2). So a client
 * is the same over both kinds of sockets. */
static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct network {
	uint8_t address[NETWORKS_ADDRESS];
	unsigned bits;
};

static void put_v4(const struct in_addr *from, uint8_t address[NETWORKS_ADDRESS])
{
	memcpy(address, v4_prefix, sizeof(v4_prefix));
	memcpy(address + sizeof(v4_prefix), from, sizeof(*from));
}

bool networks_address(const struct sockaddr *from, uint8_t address[NETWORKS_ADDRESS])
{
	if (from->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, from, sizeof(in));
		put_v4(&in.sin_addr, address);
		return true;
	}
	if (from->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, from, sizeof(in));
		memcpy(address, &in.sin6_addr, NETWORKS_ADDRESS);
		return true;
	}
	return false;
}

bool networks_client(const struct sockaddr *from, uint8_t address[NETWORKS_ADDRESS])
{
	if (!networks_address(from, address))
		return false;
	if (memcmp(address, v4_prefix, sizeof(v4_prefix)) != 0)
		memset(address + NETWORKS_ADDRESS - V6_HOST_OCTETS, 0, V6_HOST_OCTETS);
	return true;
}

/* text: address[/bits], len octets. */
static bool parse_network(const char *text, size_t len, struct network *network)
{
	const char *slash = memchr(text, '/', len);
	size_t address_len = slash ? (size_t)(slash - text) : len;
	char address[INET6_ADDRSTRLEN];
	unsigned prefix = 0;
	struct in_addr v4;
	int64_t bits;

	if (address_len >= sizeof(address))
		return false;
	memcpy(address, text, address_len);
	address[address_len] = 0;
	if (inet_pton(AF_INET, address, &v4) == 1) {
		put_v4(&v4, network->address);
		prefix = V4_PREFIX_BITS;
	} else if (inet_pton(AF_INET6, address, network->address) != 1) {
		return false;
	}
	/* Without /bits it is one address. */
	network->bits = 128;
	if (!slash)
		return true;
	if (number_parse(slash + 1, len - address_len - 1, 0, 128 - (int64_t)prefix, &bits) < 0)
		return false;
	network->bits = prefix + (unsigned)bits;
	return true;
}

/* Moves *list after the next network. 1: found one; 0: end; -1: malformed. */
static int next_network(const char **list, struct network *network)
{
	const char *text = *list + strspn(*list, SEPARATORS);
	size_t len = strcspn(text, SEPARATORS);

	*list = text + len;
	if (len == 0)
		return 0;
	return parse_network(text, len, network) ? 1 : -1;
}

static bool is_in(const struct network *network, const uint8_t address[NETWORKS_ADDRESS])
{
	unsigned octets = network->bits / 8, rest = network->bits % 8;

	if (memcmp(network->address, address, octets) != 0)
		return false;
	return rest == 0 || (network->address[octets] ^ address[octets]) >> (8 - rest) == 0;
}

bool networks_have(const char *list, const uint8_t address[NETWORKS_ADDRESS])
{
	struct network network;

	while (next_network(&list, &network) == 1)
		if (is_in(&network, address))
			return true;
	return false;
}

const char *networks_check(const char *list)
{
	struct network network;
	int found;

	while ((found = next_network(&list, &network)) == 1)
		;
	return found < 0 ? "comma-separated list of addresses and networks, like "
			   "10.0.0.0/8,2001:db8::1,"
			 : NULL;
}

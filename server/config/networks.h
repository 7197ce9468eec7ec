#ifndef SERVER_CONFIG_NETWORKS_H
#define SERVER_CONFIG_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>

/* Lists of networks in settings: "10.0.0.0/8, 2001:db8::/32, 192.0.2.1". */

struct sockaddr;

/* An IPv6 address; an IPv4 address is ::ffff:a.b.c.d. */
#define NETWORKS_ADDRESS 16

/* False: neither IPv4 nor IPv6. */
bool networks_address(const struct sockaddr *from, uint8_t address[NETWORKS_ADDRESS]);
/* The same, of an IPv6 address only its /64, which one client or host has at least. */
bool networks_client(const struct sockaddr *from, uint8_t address[NETWORKS_ADDRESS]);
/* True if a network of the list contains the address. list: checked by networks_check. */
bool networks_have(const char *list, const uint8_t address[NETWORKS_ADDRESS]);
/* NULL, or the expected form. */
const char *networks_check(const char *list);

#endif

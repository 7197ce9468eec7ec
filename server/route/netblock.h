#ifndef SERVER_ROUTE_NETBLOCK_H
#define SERVER_ROUTE_NETBLOCK_H

#include <stdbool.h>
#include <sys/socket.h>

/* True for an address that is not globally reachable unicast by IANA's special-purpose registries
 * (RFC 6890): private, loopback, link-local, carrier-grade NAT, unique local, 0/8, documentation,
 * benchmark, multicast, broadcast; all forms of IPv4 inside IPv6 (mapped, compatible, translated,
 * NAT64, 6to4, Teredo); and all families but AF_INET and AF_INET6. Users name domains and URLs:
 * without this check they could make Postern connect to the operator's own network. Check the
 * address that is connected to, not a name. */
bool netblock_is_private(const struct sockaddr *addr);

#endif

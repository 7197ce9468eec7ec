#ifndef SERVER_ROUTE_NETBLOCK_H
#define SERVER_ROUTE_NETBLOCK_H

#include <stdbool.h>
#include <sys/socket.h>

/* Is this an address that mail for a stranger must never be delivered to? Who may name a domain
 * could otherwise make us talk to our own network. True for everything that is not globally
 * reachable unicast by IANA's special-purpose registries (RFC 6890): private, loopback, link-local,
 * carrier-grade NAT, unique local, 0/8, documentation, benchmark, multicast, broadcast; every form
 * that carries an IPv4 address inside IPv6 (mapped, compatible, translated, NAT64, 6to4, Teredo);
 * and every family but AF_INET and AF_INET6. Ask it about the address that is connected to, not
 * about a name. */
bool netblock_is_private(const struct sockaddr *addr);

#endif

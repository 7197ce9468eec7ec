#ifndef SERVER_REDIS_LINK_RESOLVER_H
#define SERVER_REDIS_LINK_RESOLVER_H

struct event_base;
struct evdns_base;

/* A resolver that reads `file` (like /etc/resolv.conf) and /etc/hosts, and asks one name server:
 * the first at turn 0, the second at turn 1, and so on in a circle. libevent itself asks all
 * servers in turn and takes the first "no such name". In container networks the first server may
 * know names that the second denies, and resolv.conf(5) promises that the first is asked first.
 * NULL: out of memory. Free it by evdns_base_free. */
struct evdns_base *resolver_new(struct event_base *base, const char *file, unsigned turn);

#endif

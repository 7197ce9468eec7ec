#ifndef SERVER_REDIS_RESOLVER_H
#define SERVER_REDIS_RESOLVER_H

struct event_base;
struct evdns_base;

/* A resolver by file (as /etc/resolv.conf) and /etc/hosts that asks one name server: the first at
 * turn 0, the next at turn 1, and so on around. libevent would ask all of them in turn, and take
 * the first no for an answer; but where containers meet, one server may know their names and the
 * next deny them, and people count on the first being asked first (resolv.conf(5)). NULL: out of
 * memory. evdns_base_free ends it. */
struct evdns_base *resolver_new(struct event_base *base, const char *file, unsigned turn);

#endif

#ifndef SERVER_ROUTE_DNS_H
#define SERVER_ROUTE_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct loop;

/* DNS queries on the event loop, by libunbound, which caches, retries over UDP and TCP, and checks
 * responses. Nothing blocks. Only dns.c sees libunbound. */

#define DNS_RECORDS_MAX 32

enum dns_type { DNS_A = 1, DNS_MX = 15, DNS_AAAA = 28 };

enum dns_status {
	DNS_FOUND,
	DNS_NO_DATA, /* the name exists, without records of this type */
	DNS_NO_NAME, /* NXDOMAIN */
	DNS_FAILED,  /* SERVFAIL, REFUSED, timeout, bogus, out of memory: no result */
};

struct dns_mx {
	uint16_t preference;
	char name[254]; /* lower case, no final dot; "" = the root; "\\" (the name of no host) = a
			   name that is too long, or has octets that a text cannot hold */
};

union dns_address {
	struct in_addr v4;
	struct in6_addr v6;
};

struct dns_answer {
	enum dns_status status;
	uint32_t ttl_s;               /* DNS_FOUND: the smallest of the records */
	size_t n;                     /* DNS_FOUND: > 0 */
	struct dns_mx *mx;            /* DNS_MX: n, sorted by preference, then name */
	union dns_address *addresses; /* DNS_A, DNS_AAAA: n */
};

struct dns_options {
	const char *servers; /* "127.0.0.1@5353 9.9.9.9"; "" = those of /etc/resolv.conf */
	bool use_hosts;      /* /etc/hosts has precedence over the DNS */
};

struct dns;
struct dns_question;

/* answer is borrowed for the call. fn may ask and cancel, but not call dns_free. */
typedef void dns_fn(const struct dns_answer *answer, void *arg);

int dns_new(struct dns **d, struct loop *loop, const struct dns_options *options, struct err *e)
	__attribute__((warn_unused_result));
void dns_free(struct dns *d); /* cancels open questions */

/* fn fires once, from the loop, never within this call. NULL: out of memory, or too many questions
 * are open; fn does not fire. */
struct dns_question *dns_ask(struct dns *d, const char *name, enum dns_type type, dns_fn *fn,
			     void *arg);
/* fn will not fire. Call it only before fn has fired. NULL does nothing. */
void dns_cancel(struct dns_question *q);

/* Checks a list of servers as in dns_options. ERR_INPUT. */
int dns_check_servers(const char *servers, struct err *e);

#endif

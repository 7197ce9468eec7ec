#ifndef SERVER_ROUTE_DNS_H
#define SERVER_ROUTE_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct loop;

/* Questions to the DNS on the event loop, by libunbound: its cache, its retries over UDP and TCP,
 * its checks of what comes back. Nothing blocks. The only place that knows ub_. */

#define DNS_RECORDS_MAX 32

enum dns_type { DNS_A = 1, DNS_MX = 15, DNS_AAAA = 28 };

enum dns_status {
	DNS_FOUND,
	DNS_NO_DATA, /* the name is there, records of this type are not */
	DNS_NO_NAME, /* NXDOMAIN */
	DNS_FAILED,  /* SERVFAIL, REFUSED, timeout, bogus, no memory: nothing is known */
};

struct dns_mx {
	uint16_t preference;
	char name[254]; /* lower case, no final dot; "" = the root; a name with bytes that a text
			   cannot hold, or too long, is "\\", which no host is called */
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
	bool use_hosts;      /* /etc/hosts counts before the DNS */
};

struct dns;
struct dns_question;

/* answer is borrowed for the call; fn may ask and cancel, but not free the dns. */
typedef void dns_fn(const struct dns_answer *answer, void *arg);

int dns_new(struct dns **d, struct loop *loop, const struct dns_options *options, struct err *e)
	__attribute__((warn_unused_result));
void dns_free(struct dns *d); /* open questions are dropped */

/* fn fires once, from the loop, never within this call. NULL when memory is short or too many
 * questions are open: fn will not fire. */
struct dns_question *dns_ask(struct dns *d, const char *name, enum dns_type type, dns_fn *fn,
			     void *arg);
/* fn will not fire any more. Only before it has fired. NULL does nothing. */
void dns_cancel(struct dns_question *q);

/* Are these servers ones that dns_new takes? ERR_INPUT. */
int dns_check_servers(const char *servers, struct err *e);

#endif

/* Chooses the name server that is asked for the address of Redis. */
#include "server/redis/link/resolver.h"

#include <stddef.h>
#include <sys/socket.h>

#include <event2/dns.h>

/* A server that does not respond costs 4 s, which is less than a command waits for Redis. A late
 * response to an earlier attempt counts too. */
static const struct {
	const char *name, *value;
} options[] = {
	{"timeout:", "1"},
	{"attempts:", "4"},
	{"max-timeouts:", "255"}, /* keep the server between the attempts */
};

struct evdns_base *resolver_new(struct event_base *base, const char *file, unsigned turn)
{
	struct evdns_base *dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	struct sockaddr_storage chosen;
	int n, len;

	if (!dns)
		return NULL;
	/* A file that is missing or empty stands for a server on this machine. */
	(void)evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL, file);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		evdns_base_set_option(dns, options[i].name, options[i].value);
	n = evdns_base_count_nameservers(dns);
	if (n < 2)
		return dns;
	len = evdns_base_get_nameserver_addr(dns, (int)(turn % (unsigned)n),
					     (struct sockaddr *)&chosen, sizeof(chosen));
	if (len <= 0)
		return dns;
	evdns_base_clear_nameservers_and_suspend(dns);
	evdns_base_nameserver_sockaddr_add(dns, (struct sockaddr *)&chosen, (ev_socklen_t)len, 0);
	evdns_base_resume(dns);
	return dns;
}

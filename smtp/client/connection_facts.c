/* The facts of a connection that has not begun. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "smtp/client/connection.h"

void connection_describe(const struct route_host *host, struct connection_facts *facts)
{
	const struct sockaddr *addr = (const struct sockaddr *)&host->addr;
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;
	bool is_v6 = addr->sa_family == AF_INET6;

	*facts = (struct connection_facts){.stage = "connect"};
	facts->connect_ms = facts->tls_ms = facts->ready_ms = -1;
	snprintf(facts->host, sizeof(facts->host), "%s", host->name);
	snprintf(facts->address, sizeof(facts->address), "local");
	if (addr->sa_family != AF_INET && !is_v6)
		return;
	inet_ntop(addr->sa_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, facts->ip,
		  sizeof(facts->ip));
	facts->port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
	snprintf(facts->address, sizeof(facts->address), is_v6 ? "[%s]:%u" : "%s:%u", facts->ip,
		 facts->port);
}

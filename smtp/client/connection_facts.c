/* Fills in the facts of a connection. */
#include "smtp/client/connection_facts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "server/stream/stream.h"
#include "server/stream/tls.h"
#include "smtp/client/transcript.h"

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

void connection_facts_note_source(struct connection_facts *facts, struct stream *stream,
				  struct transcript *transcript)
{
	stream_source(stream, facts->source_ip, sizeof(facts->source_ip));
	transcript_note(transcript, "connected from %s",
			facts->source_ip[0] ? facts->source_ip : "local");
}

void connection_facts_note_tls(struct connection_facts *facts, const struct tls *tls,
			       struct transcript *transcript)
{
	facts->is_verified = tls_is_verified(tls);
	snprintf(facts->tls_version, sizeof(facts->tls_version), "%s", tls_version(tls));
	snprintf(facts->tls_cipher, sizeof(facts->tls_cipher), "%s", tls_cipher(tls));
	transcript_note(transcript, "%s %s, the certificate is %s", facts->tls_version,
			facts->tls_cipher, facts->is_verified ? "verified" : "not verified");
}

#ifndef SMTP_CLIENT_CONNECTION_FACTS_H
#define SMTP_CLIENT_CONNECTION_FACTS_H

#include "smtp/client/connection.h"

/* Fills in the facts of a connection that has begun, and writes them to its transcript. Before it
 * begins: connection_describe(). For this folder only. */

struct stream;
struct tls;
struct transcript;

/* The stream is connected. */
void connection_facts_note_source(struct connection_facts *facts, struct stream *stream,
				  struct transcript *transcript);
/* The TLS handshake is over. */
void connection_facts_note_tls(struct connection_facts *facts, const struct tls *tls,
			       struct transcript *transcript);

#endif

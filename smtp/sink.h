#ifndef SMTP_SINK_H
#define SMTP_SINK_H

#include "server/base/err.h"

struct loop;
struct redis;

/* The built-in sink: where mail of test keys goes, in every command. An SMTP responder at the other
 * end of a socketpair, so that the whole client side is the real one; what it receives goes to the
 * test inbox, and 250 is said only when it is there. */

struct sink;
struct sink_peer; /* one connection, at the sink's end */

struct sink *sink_new(struct loop *loop, struct redis *redis);
void sink_free(struct sink *s);
/* A connected descriptor for the client side. The peer lives until that is closed. */
int sink_connect(struct sink *s, struct sink_peer **peer, struct err *e);
/* Whose mail comes next: what SMTP does not say. */
void sink_announce(struct sink_peer *p, const char *project, const char *message);

#endif

#ifndef SMTP_SINK_H
#define SMTP_SINK_H

#include "server/base/err.h"

struct loop;
struct redis;

/* The built-in sink takes all mail of test keys. It is an SMTP server at the other end of a
 * socketpair, so test mail runs through the same client code as live mail. It replies 250 to the
 * dot after the mail is stored in the test inbox. */

#define SINK_SITE "sink" /* the site that lua/queue/accept.lua files test mail under */

struct sink;
struct sink_peer; /* one connection, the sink's end */

struct sink *sink_new(struct loop *loop, struct redis *redis);
void sink_free(struct sink *s);
/* A connected descriptor for the client's end, which the caller owns. The peer lives until the
 * descriptor is closed and sink_release was called. -1: ERR_RETRY, or out of memory. */
int sink_connect(struct sink *s, struct sink_peer **peer, struct err *e);
/* The caller will not use the peer any more. NULL does nothing. Not after sink_free. */
void sink_release(struct sink_peer *p);
/* Call before each transaction: names the project and the message id that the next mail belongs to,
 * because SMTP has no command for that. */
void sink_announce(struct sink_peer *p, const char *project, const char *message);

#endif

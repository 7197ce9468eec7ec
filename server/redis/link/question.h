#ifndef SERVER_REDIS_LINK_QUESTION_H
#define SERVER_REDIS_LINK_QUESTION_H

#include <stdbool.h>

#include "server/base/loop.h"
#include "server/redis/link/dial.h"
#include "server/redis/link/pipeline.h"
#include "server/redis/link/url.h"

/* Asks several servers the same question, one after the other, until one gives a reply that is of
 * use. Each gets a connection of its own: at most 1 s to connect and 1 s to reply. Embed it. */

struct question;
struct question_kind {
	const char *server;    /* for messages: "sentinel", "node" */
	bool has_our_password; /* AUTH is sent first; else only to a server that asks for it */
	/* Connected: sends the commands with question_send. */
	void (*ask)(struct question *q);
	/* No server gave a reply of use. why: the reply of each, or why there was none. */
	void (*on_failed)(struct question *q, const char *why);
};

struct question {
	const struct question_kind *kind;
	const struct redis_url *url; /* user and password */
	void *arg;                   /* of the user */
	struct loop *loop;
	struct dial dial;
	struct pipeline *pipeline; /* NULL = the stream is not open yet */
	struct loop_timer timer;   /* the next server, or the limit of a reply */
	const struct redis_host *hosts;
	unsigned n_hosts, at, tried;
	bool is_open;  /* question_start was called, and it has not ended */
	bool is_asked; /* this server has it */
	bool has_sent_password;
	char why[400]; /* why of each server, "; " between them */
};

/* url and tls are borrowed. -1: out of memory. */
int question_init(struct question *q, struct loop *loop, const struct redis_url *url,
		  struct tls_context *tls, const struct question_kind *kind, void *arg);
/* Asks the hosts, the one with the number `first` first. They are borrowed until the question ends.
 * While a question is open, this does nothing: its result counts. No callback fires within it. */
void question_start(struct question *q, const struct redis_host *hosts, unsigned n, unsigned first);
/* Within `ask` or a reply_fn. False: out of memory; the next server is asked. fn gets q. */
bool question_send(struct question *q, struct command *take, reply_fn *fn);
/* The server that is asked now. */
const struct redis_host *question_host(const struct question *q);
/* For an error reply. If the server wants a password, and the URL has one, it is asked again with
 * it. Else the next one is asked. */
void question_refused(struct question *q, const char *error);
/* This server is of no use: the next one is asked. */
void question_next(struct question *q, const char *why);
/* The question is answered. */
void question_end(struct question *q);
/* No callback fires. Not within a callback. A zeroed question does nothing. */
void question_deinit(struct question *q);

#endif

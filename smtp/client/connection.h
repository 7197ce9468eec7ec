#ifndef SMTP_CLIENT_CONNECTION_H
#define SMTP_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/route/route.h"

struct loop;
struct tls_context;
struct transcript;

/* One SMTP client connection: a session (what is said: session.h, pure) on a stream (how it
 *travels: stream.h, socket and TLS). It carries any number of transactions, one after the other.
 *
 *	open -> on_ready -> send -> on_fence -> dot | drop -> on_done -> on_ready -> ... -> quit ->
 *on_closed
 *
 * Deadlines of each stage are those of RFC 5321 4.5.3.2 (connect 30 s), total for the stage, not
 *idle. */

struct connection;

enum connection_outcome {
	OUTCOME_DELIVERED, /* 2xx to the dot */
	OUTCOME_DEFERRED,  /* 4xx, or the connection failed before the dot: nothing was delivered */
	OUTCOME_BOUNCED,   /* 5xx */
	OUTCOME_UNKNOWN,   /* the dot was written and no reply came */
	OUTCOME_TOO_BIG,   /* all recipients: the server's SIZE is too small, nothing was said */
	OUTCOME_UNTRIED, /* not one byte about this recipient was answered because the server ended
			    the session (421, stale idle connection): no attempt counts; try
			    elsewhere at once */
};

struct connection_result {
	enum connection_outcome outcome;
	int code;       /* reply code, 0 = none came */
	char text[200]; /* reply text on one line, escaped to printable ASCII/UTF-8, cut; or our
			   words */
};

/* What is sent. Borrowed until on_done. */
struct connection_mail {
	const char *sender; /* MAIL FROM; never empty */
	const char *const *recipients;
	size_t n_recipients;
	const char *head; /* DKIM-Signature field with CRLF, or NULL */
	size_t head_len;
	const char *body; /* the stored mail; CRLF lines; not dot-stuffed */
	size_t body_len;
};

/* Facts of the connection for logs and attempts. */
struct connection_facts {
	char host[256];
	char address[64];           /* "192.0.2.1:25" */
	char ip[46], source_ip[46]; /* the host's, ours; "" = none, not connected */
	unsigned port;
	char tls_version[16], tls_cipher[48]; /* "" = clear */
	bool is_verified;                     /* the certificate is valid for host, asked or not */
	bool has_tls_failed; /* the handshake failed: is_clear may help the next connection */
	const char *stage;   /* "connect", "greeting", "EHLO" ... "dot": where it is or ended */
	int64_t connect_ms, tls_ms, ready_ms; /* since open; -1 = not reached */
};

struct connection_callbacks {
	/* Greeting, EHLO, TLS, AUTH are done, or the last transaction is over: send, quit, or let
	 * it idle. */
	void (*on_ready)(struct connection *c, void *arg);
	/* The body is on its way; the dot is not: ask the fence, then connection_dot or
	 * connection_drop. Fires only when at least one recipient was accepted and 354 came. */
	void (*on_fence)(struct connection *c, void *arg);
	/* The transaction ended; results[i] belongs to recipients[i]. Fires exactly once for each
	 * send that returned 0, also when the connection dies. on_ready or on_closed follows. */
	void (*on_done)(struct connection *c, const struct connection_result *results, size_t n,
			void *arg);
	/* It is over; c is gone when this returns. failure is not NULL if it died before its first
	 * on_ready: why. OUTCOME_DEFERRED (a greeting or a login that is refused with 5xx says
	 * nothing about a recipient), but OUTCOME_BOUNCED when the server is ourselves;
	 * failure->code is the server's, 0 when it gave none. */
	void (*on_closed)(struct connection *c, const struct connection_result *failure, void *arg);
};

struct connection_options {
	const char *helo_name;
	enum route_tls tls;
	bool verify;                 /* require a certificate that matches the host's name */
	const char *user, *password; /* AUTH, NULL = none; copied. Never sent without TLS, but to
					loopback addresses */
	struct tls_context
		*tls_context; /* from stream.h; NULL = no TLS offered (then REQUIRED fails) */
	struct transcript *transcript; /* opened for it, and outlives it; NULL = none
					*/
	bool finds_loops;              /* a server that says our helo_name is ourselves */
	bool is_clear; /* skip STARTTLS although offered: the last handshake with this host failed
			  (opportunistic only) */
};

/* Starts to connect. Callbacks never fire from within open, send, dot, drop or quit. */
int connection_open(struct connection **out, struct loop *loop, const struct route_host *host,
		    const struct connection_options *options,
		    const struct connection_callbacks *callbacks, void *arg, struct err *e);
/* The same over a connected socket (the built-in sink's socketpair). Takes fd. */
int connection_adopt(struct connection **out, struct loop *loop, int fd,
		     const struct connection_options *options,
		     const struct connection_callbacks *callbacks, void *arg, struct err *e);

/* Starts a transaction; only between on_ready and the next send. SIZE is announced where offered;
 * PIPELINING used where offered. A mail larger than the server's SIZE limit: on_done with
 * 552 5.3.4, OUTCOME_TOO_BIG. */
int connection_send(struct connection *c, const struct connection_mail *mail, struct err *e);
void connection_dot(struct connection *c);  /* after on_fence: write the dot */
void connection_drop(struct connection *c); /* after on_fence: close without the dot; results are
					       OUTCOME_UNTRIED */
void connection_quit(
	struct connection *c); /* QUIT when idle, then on_closed; a running transaction is cut */
void connection_free(struct connection *c); /* at once; no callback fires */
const struct connection_facts *connection_facts(const struct connection *c);
/* What is known of a connection to the host before it begins. */
void connection_describe(const struct route_host *host, struct connection_facts *facts);

#endif

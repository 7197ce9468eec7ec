#ifndef SMTP_CLIENT_CONNECTION_H
#define SMTP_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/route/enhanced.h"
#include "server/route/route.h"

struct loop;
struct tls_context;
struct transcript;

/* One SMTP client connection: a session (session.h: the protocol) on a stream (stream.h: socket and
 * TLS). It carries any number of transactions, one after the other.
 *
 *	open, on_ready, send, on_fence, dot or drop, on_done, on_ready, ..., quit, on_closed
 *
 * Each stage has the deadline of RFC 5321 4.5.3.2 (connect: 30 s). Octets do not extend it. */

struct connection;

/* The part of the conversation that a connection is in. */
enum connection_phase {
	PHASE_NONE, /* idle between mails, or over */
	PHASE_CONNECT,
	PHASE_GREETING,
	PHASE_EHLO, /* or HELO */
	PHASE_TLS,  /* STARTTLS and the handshake */
	PHASE_AUTH,
	PHASE_MAIL, /* from here on: a transaction */
	PHASE_RCPT,
	PHASE_DATA,
	PHASE_BODY,
	PHASE_DOT,
	PHASES,
};

enum connection_outcome {
	OUTCOME_DELIVERED, /* 2xx to the dot */
	OUTCOME_DEFERRED,  /* 4xx, or the connection failed before the dot: nothing was delivered */
	OUTCOME_BOUNCED,   /* 5xx */
	OUTCOME_UNKNOWN,   /* the dot was written and no reply came */
	OUTCOME_TOO_BIG,   /* all recipients: the mail is larger than the server's SIZE; not sent */
	OUTCOME_UNTRIED,   /* the session ended (421, stale idle connection) before any reply about
			      this recipient: no attempt; try elsewhere at once */
};

/* Who wrote a result's text. */
enum connection_source {
	SOURCE_LOCAL,  /* Postern: there was no reply, or it does not count */
	SOURCE_REMOTE, /* the server; a prefix of ours may come first */
};

/* For a local result fill in outcome and text; all other fields are zero. */
struct connection_result {
	enum connection_outcome outcome;
	enum connection_source source;
	enum connection_phase
		phase;            /* the command that got the reply, or where the connection was */
	int code;                 /* the reply code; 0 = none */
	struct enhanced enhanced; /* of the server's reply; class 0 = none */
	char text[200];           /* one line of printable UTF-8, cut */
};

/* One mail to send. Borrowed until on_done. */
struct connection_mail {
	const char *sender; /* MAIL FROM; never empty */
	const char *const *recipients;
	size_t n_recipients;
	const char *head; /* DKIM-Signature field with CRLF, or NULL */
	size_t head_len;
	const char *body; /* the stored mail; CRLF lines; not dot-stuffed */
	size_t body_len;
};

/* For logs and attempts. */
struct connection_facts {
	char host[256];
	char address[64];           /* "192.0.2.1:25" */
	char ip[46], source_ip[46]; /* the host's and ours; "" = none, not connected */
	unsigned port;
	char tls_version[16], tls_cipher[48]; /* "" = in clear */
	bool is_verified;    /* the certificate is valid for host (checked even if not required) */
	bool has_tls_failed; /* the handshake failed: is_clear may help the next connection */
	const char *stage;   /* for people: "connect" ... "dot": the current or the last stage */
	enum connection_phase phase;          /* for decisions: the phase of stage */
	int64_t connect_ms, tls_ms, ready_ms; /* since open; -1 = not reached */
};

/* They are called on the loop. Each may call any function of this connection except
 * connection_free. */
struct connection_callbacks {
	/* A mail can be sent. Called after greeting, EHLO, TLS and AUTH, and again after each
	 * transaction. */
	void (*on_ready)(struct connection *c, void *arg);
	/* The body is written, the dot is not: call connection_dot or connection_drop. Fires only
	 * if at least one recipient was accepted and 354 came. */
	void (*on_fence)(struct connection *c, void *arg);
	/* The transaction ended; results[i] belongs to recipients[i]. Fires exactly once for each
	 * send that returned 0, also when the connection dies. on_ready or on_closed follows. */
	void (*on_done)(struct connection *c, const struct connection_result *results, size_t n,
			void *arg);
	/* The connection has ended, and is freed when this returns. failure: why it never became
	 * ready; NULL if it did. Its outcome is OUTCOME_DEFERRED, because a refused greeting or
	 * login is not about a recipient. Only if the server is this host itself it is
	 * OUTCOME_BOUNCED. */
	void (*on_closed)(struct connection *c, const struct connection_result *failure, void *arg);
};

struct connection_options {
	const char *helo_name; /* NULL or "" = the literal of our own address */
	enum route_tls tls;
	bool verify;                     /* require a certificate that is valid for the host */
	const char *user, *password;     /* AUTH, NULL = none; copied. Sent without TLS only to
					    loopback addresses */
	struct tls_context *tls_context; /* NULL = no TLS; then REQUIRED and IMPLICIT fail */
	struct transcript *transcript;   /* NULL = none; outlives the connection */
	bool is_mx;                      /* see session_options */
	bool is_clear; /* skip STARTTLS: the last handshake failed (opportunistic only) */
};

/* Starts to connect. No callback is called within open, send, dot, drop, quit or give_up.
 * ERR_INPUT: see session_new. */
int connection_open(struct connection **out, struct loop *loop, const struct route_host *host,
		    const struct connection_options *options,
		    const struct connection_callbacks *callbacks, void *arg, struct err *e);
/* The same over a connected socket (the built-in sink's socketpair). Takes fd, also on failure. */
int connection_adopt(struct connection **out, struct loop *loop, int fd,
		     const struct connection_options *options,
		     const struct connection_callbacks *callbacks, void *arg, struct err *e);

/* Starts a transaction. Allowed once after each on_ready, else ERR_RETRY. ERR_INPUT: see
 * transaction_start. A mail larger than the server's SIZE is not sent: on_done gets
 * OUTCOME_TOO_BIG. */
int connection_send(struct connection *c, const struct connection_mail *mail, struct err *e);
void connection_dot(struct connection *c);  /* after on_fence: writes the dot */
void connection_drop(struct connection *c); /* after on_fence: closes without the dot; all results
					       are OUTCOME_UNTRIED */
void connection_quit(struct connection *c); /* QUIT when idle; a transaction is cut off */
/* Ends a connection that is not ready yet, or whose transaction has not reached the body. on_closed
 * gets why, or on_done: all results are OUTCOME_DEFERRED with PHASE_NONE. */
void connection_give_up(struct connection *c, const char *why);
/* When the wait for the current reply began (monotonic ms). */
int64_t connection_waits_since_ms(const struct connection *c);
void connection_free(struct connection *c); /* at once; no callback is called */
const struct connection_facts *connection_facts(const struct connection *c);
/* Fills in the facts of a connection to the host that has not begun. */
void connection_describe(const struct route_host *host, struct connection_facts *facts);

#endif

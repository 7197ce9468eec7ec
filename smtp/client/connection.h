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

/* One SMTP client connection: a session (session.h: what is said) on a stream (stream.h: socket and
 * TLS). It carries any number of transactions, one after the other.
 *
 *	open -> on_ready -> send -> on_fence -> dot | drop -> on_done -> on_ready -> ... -> quit
 *	-> on_closed
 *
 * Each stage has the deadline of RFC 5321 4.5.3.2 (connect: 30 s), for the whole stage: octets that
 * trickle in do not extend it. */

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
	OUTCOME_TOO_BIG,   /* all recipients: larger than the server's SIZE; nothing was sent */
	OUTCOME_UNTRIED,   /* the session ended (421, stale idle connection) before any reply about
			      this recipient: no attempt; try elsewhere at once */
};

/* Who wrote a result's text. */
enum connection_source {
	SOURCE_LOCAL,  /* we: no server spoke, or its words do not count */
	SOURCE_REMOTE, /* the server; our words may stand before its own */
};

/* Zeroed but for outcome and text: a result of our own. */
struct connection_result {
	enum connection_outcome outcome;
	enum connection_source source;
	enum connection_phase phase; /* what the reply was to, or where the connection was */
	int code;                    /* the reply code; 0 = none */
	struct enhanced enhanced;    /* of the server's reply; class 0 = none */
	char text[200];              /* one line of printable UTF-8, cut */
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

/* For logs and attempts. */
struct connection_facts {
	char host[256];
	char address[64];           /* "192.0.2.1:25" */
	char ip[46], source_ip[46]; /* the host's and ours; "" = none, not connected */
	unsigned port;
	char tls_version[16], tls_cipher[48]; /* "" = in clear */
	bool is_verified;    /* the certificate is valid for host, whether required or not */
	bool has_tls_failed; /* the handshake failed: is_clear may help the next connection */
	const char *stage;   /* for people: "connect" ... "dot": where it is or ended */
	enum connection_phase phase;          /* for decisions: the phase of stage */
	int64_t connect_ms, tls_ms, ready_ms; /* since open; -1 = not reached */
};

/* Fire on the loop. Each may call any function of this connection but connection_free. */
struct connection_callbacks {
	/* A mail can be sent: after greeting, EHLO, TLS, AUTH, and again after each transaction. */
	void (*on_ready)(struct connection *c, void *arg);
	/* The body is written, the dot is not: call connection_dot or connection_drop. Fires only
	 * if at least one recipient was accepted and 354 came. */
	void (*on_fence)(struct connection *c, void *arg);
	/* The transaction ended; results[i] belongs to recipients[i]. Fires exactly once for each
	 * send that returned 0, also when the connection dies. on_ready or on_closed follows. */
	void (*on_done)(struct connection *c, const struct connection_result *results, size_t n,
			void *arg);
	/* The connection is over, and freed when this returns. failure: why it was never ready,
	 * NULL if it was. Its outcome is OUTCOME_DEFERRED, because a greeting or a login that is
	 * refused says nothing about a recipient; OUTCOME_BOUNCED only if the server is this host
	 * itself. */
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

/* Starts a transaction; only between on_ready and the next send. A mail larger than the server's
 * SIZE is not sent: on_done with OUTCOME_TOO_BIG. */
int connection_send(struct connection *c, const struct connection_mail *mail, struct err *e);
void connection_dot(struct connection *c);  /* after on_fence: writes the dot */
void connection_drop(struct connection *c); /* after on_fence: closes without the dot; all results
					       are OUTCOME_UNTRIED */
void connection_quit(struct connection *c); /* QUIT when idle, then on_closed; a transaction is cut
					       off */
void connection_free(struct connection *c); /* at once; no callback fires */
const struct connection_facts *connection_facts(const struct connection *c);
/* The facts of a connection to the host before it begins. */
void connection_describe(const struct route_host *host, struct connection_facts *facts);

#endif

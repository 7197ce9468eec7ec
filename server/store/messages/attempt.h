#ifndef SERVER_STORE_MESSAGES_ATTEMPT_H
#define SERVER_STORE_MESSAGES_ATTEMPT_H

#include <stddef.h>
#include <stdint.h>

/* One attempt as a line of text in the record of its message: smtp/ writes it, api/ shows it. Its
 * outcomes are not in the line: they are the events before it in the record (record.h).
 *
 *	line  = started SP took SP steps SP host SP ip SP port SP source SP tls [ SP code SP reply ]
 *	steps = *( letter [ ms ] )            a step that took less than 1 ms has its letter alone
 *	tls   = "!" / version "/" cipher "/" ( "v" / "u" )
 *
 *	code  = "0" / 3DIGIT                  "0": no server replied
 *
 * code and reply are of a host that passed the mail on to the next host: such a line has no events.
 * Words are printable ASCII without blanks; "-" is an empty one. A line that is "-" alone: the
 * relay died with all that it knew. */

#define ATTEMPT_MAX 800 /* octets, with the NUL; lua/queue/settle.lua refuses longer ones */

enum attempt_step {
	ATTEMPT_NONE, /* not measured */
	ATTEMPT_DNS,
	ATTEMPT_WAIT, /* until a connection was free, with the time for hosts that were tried first
		       */
	ATTEMPT_CONNECT,
	ATTEMPT_GREETING,
	ATTEMPT_EHLO,
	ATTEMPT_TLS, /* STARTTLS and handshake */
	ATTEMPT_AUTH,
	ATTEMPT_MAIL,
	ATTEMPT_RCPT,
	ATTEMPT_DATA,
	ATTEMPT_BODY,
	ATTEMPT_REPLY, /* to the final dot */
	ATTEMPT_STEPS,
};
const char *attempt_step_name(enum attempt_step step); /* "dns" ...; NULL for ATTEMPT_NONE */

enum attempt_tls {
	ATTEMPT_TLS_NONE,   /* in clear */
	ATTEMPT_TLS_FAILED, /* the handshake failed: in clear, or not at all */
	ATTEMPT_TLS_UNVERIFIED,
	ATTEMPT_TLS_VERIFIED, /* the certificate is valid for the host */
};
const char *attempt_tls_name(enum attempt_tls tls); /* "failed" ...; NULL for NONE */

struct attempt {
	int64_t started_ms; /* Unix time of the store */
	int64_t took_ms;
	int32_t steps_ms[ATTEMPT_STEPS]; /* -1 = not reached */
	const char *host;                /* the MX or relay; "" = no connection was tried */
	const char *ip;                  /* "" = none */
	unsigned port;                   /* 0 = none */
	const char *source;              /* our address; "" = never connected */
	enum attempt_tls tls;
	const char *tls_version, *tls_cipher; /* "" unless encrypted */
	int code;                             /* of reply, 0 = no server replied */
	const char *reply; /* why the mail went on to the next host; "" = it did not */
};

/* Writes the line, NUL-terminated, and returns its length. Octets that are not allowed in a word
 * become "?". Long words are truncated. NULL counts as empty. */
size_t attempt_format(const struct attempt *a, char out[ATTEMPT_MAX]);

/* Reads a line. The strings of *out point into scratch, or are "". -1: the line is malformed or
 * "-". */
int attempt_parse(const char *line, char scratch[ATTEMPT_MAX], struct attempt *out);

#endif

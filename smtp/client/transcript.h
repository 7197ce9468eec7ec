#ifndef SMTP_CLIENT_TRANSCRIPT_H
#define SMTP_CLIENT_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "smtp/client/connection.h"

/* Records the conversation of one transaction and how long each phase took. The first transaction
 * of a connection includes the start of the connection, and the hosts that were tried before.
 * Octets are copied as they come; they become text only if an attempt failed. At most 32 KB are
 * kept: the middle is dropped.
 *
 * The session writes "****" for passwords. A body is recorded as a number of octets.
 *
 * Zeroed is valid. All functions but transcript_text and transcript_deinit accept NULL, and do
 * nothing. */

struct transcript {
	int64_t opened_ms; /* monotonic: when the connection began, or its last transaction */
	bool is_reused;    /* a later transaction: the start of the connection is not included */
	int32_t phase_ms[PHASES]; /* -1 = not reached */
	/* private */
	struct buf said;
	size_t last, tail; /* offsets of the last piece, and of the first that may be dropped */
	size_t dropped;
	int64_t began_ms, now_ms, phase_at_ms;
	enum connection_phase phase;
};

void transcript_deinit(struct transcript *t);

/* A connection begins. Conversations with earlier hosts are kept, their times are not. */
void transcript_open(struct transcript *t, const char *host, const char *address);
/* A later transaction on the same connection begins: forgets everything before it. */
void transcript_reuse(struct transcript *t);
/* Reads the clock: the records that follow get this time. */
void transcript_tick(struct transcript *t);

/* The conversation enters this phase now. */
void transcript_enter(struct transcript *t, enum connection_phase phase);
/* Octets that the client or the server sent. */
void transcript_said(struct transcript *t, const char *bytes, size_t len);
void transcript_heard(struct transcript *t, const char *bytes, size_t len);
/* len octets of the body were sent. */
void transcript_sent_body(struct transcript *t, size_t len);
/* An event in our own words, shown with "*". */
void transcript_note(struct transcript *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends lines "<ms> <who> <what>\n" of printable UTF-8. ms: since opened_ms; who: "C:" client,
 * "S:" server, "*" an event. A line is cut at 512 octets. */
void transcript_text(const struct transcript *t, struct buf *out);

#endif

#ifndef SMTP_CLIENT_TRANSCRIPT_H
#define SMTP_CLIENT_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "smtp/client/connection.h"

/* What was said on a connection, and how long each phase of it took: of one transaction, and for
 * the first one also of what led to it, other hosts included. Keeping it is a copy of the bytes;
 * they become text only when an attempt failed. Bounded: the middle is dropped when it grows too
 * long.
 *
 * Passwords never come here (session.c says "****" instead), bodies only as a number of octets.
 *
 * Zeroed is valid. All functions but transcript_text and transcript_deinit do nothing for NULL. */

struct transcript {
	int64_t opened_ms; /* monotonic: when the connection began, or its last transaction */
	bool is_reused;    /* holds a further transaction of a connection, without its begin */
	int32_t phase_ms[PHASES]; /* -1 = not reached */
	/* private */
	struct buf said;
	size_t last, tail; /* where the last piece begins, and where what may be dropped does */
	size_t dropped;
	int64_t began_ms, now_ms, phase_at_ms;
	enum connection_phase phase;
};

void transcript_deinit(struct transcript *t);

/* A connection begins; what was said to hosts before it stays, their times do not. */
void transcript_open(struct transcript *t, const char *host, const char *address);
/* A further transaction on it: forgets all that was before. */
void transcript_reuse(struct transcript *t);
/* The time of what follows is now. */
void transcript_tick(struct transcript *t);

/* The conversation enters this phase now. */
void transcript_enter(struct transcript *t, enum connection_phase phase);
void transcript_said(struct transcript *t, const char *bytes, size_t len);
void transcript_heard(struct transcript *t, const char *bytes, size_t len);
void transcript_sent_body(struct transcript *t, size_t len);
void transcript_note(struct transcript *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends lines "<ms> <who> <what>\n" of printable UTF-8. ms: since its begin; who: "C:" we, "S:"
 * the server, "*" what happened. Of a line at most 512 octets. */
void transcript_text(const struct transcript *t, struct buf *out);

#endif

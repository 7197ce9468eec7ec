#ifndef SMTP_RELAY_ATTEMPT_REPORT_H
#define SMTP_RELAY_ATTEMPT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct attempt;
struct buf;
struct connection_facts;
struct delivery;
struct transcript;

/* What the record of a message keeps of an attempt (server/store/messages/attempt.h), and its
 * transcript. */

/* The connection that a result came from. Borrowed for the call. */
struct attempt_source {
	const struct connection_facts *facts;
	const struct transcript *transcript;
	bool has_tls_failed; /* an earlier connection to this host failed in its handshake */
};

/* Fills in all but started_ms. source NULL = no host was tried. now: monotonic ms. */
void attempt_report_describe(const struct delivery *d, const struct attempt_source *source,
			     int64_t now, struct attempt *out);
/* Appends "a <line of attempt.h>\n", as lua/settle.lua reads it. */
void attempt_report_write(const struct delivery *d, const struct attempt_source *source,
			  struct buf *out);
/* Packs the transcript into d->transcript; it stays empty when that fails (logged). */
void attempt_report_keep_transcript(struct delivery *d, const struct attempt_source *source);

#endif

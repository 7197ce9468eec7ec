#ifndef SMTP_RELAY_ATTEMPT_REPORT_H
#define SMTP_RELAY_ATTEMPT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct attempt;
struct buf;
struct connection_facts;
struct connection_result;
struct delivery;
struct relay_context;
struct transcript;

/* Describes an attempt for the record of its message (server/store/messages/attempt.h), and packs
 * its transcript. */

/* The connection that a result came from. Borrowed for the call. */
struct attempt_source {
	const struct connection_facts *facts;
	const struct transcript *transcript;
	const struct buf *hosts; /* lines of the hosts that the channel tried before; NULL = none */
	bool has_tls_failed;     /* an earlier connection to this host failed in its handshake */
};

/* Fills in all fields except started_ms. source NULL = no host was tried. now: monotonic ms. */
void attempt_report_describe(const struct delivery *d, const struct attempt_source *source,
			     int64_t now, struct attempt *out);
/* Appends "h <attempt>\n" for each host after which the next one was tried, then "a <attempt>\n".
 * <attempt>: the text of attempt.h. lua/queue/settle.lua reads these lines. Empties d->hosts. */
void attempt_report_write(struct delivery *d, const struct attempt_source *source, struct buf *out);
/* The host of the source failed with this result, and another one is tried: appends its line to
 * out. since: when this host was first tried (monotonic ms). */
void attempt_report_host(const struct relay_context *c, const struct attempt_source *source,
			 const struct connection_result *result, int64_t since, struct buf *out);
/* A transaction with the host of the source ended with d->results[0], and another host is tried:
 * appends its line to d->hosts. */
void attempt_report_pass_on(struct delivery *d, const struct attempt_source *source);
/* Packs the transcript into d->transcript. On failure it stays empty, and the error is logged. */
void attempt_report_keep_transcript(struct delivery *d, const struct attempt_source *source);

#endif

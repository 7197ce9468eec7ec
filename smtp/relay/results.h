#ifndef SMTP_RELAY_RESULTS_H
#define SMTP_RELAY_RESULTS_H

struct attempt_source;
struct buf;
struct connection_result;
struct delivery;

/* The results of a delivery: as the store reads them, in the log and in the metrics. */

/* Appends "<recipient> <outcome> <code> <dup, sup or -> <text>\n" a recipient, for
 * lua/settle.lua. dup: the recipient may get the mail twice; sup: add the address to the
 * suppression list. results: one a recipient. */
void results_write(const struct delivery *d, const struct connection_result *results,
		   struct buf *out);
/* Writes d->results to log and metrics. source NULL = no host was tried. */
void results_log(const struct delivery *d, const struct attempt_source *source);

#endif

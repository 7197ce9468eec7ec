#ifndef SMTP_RELAY_RESULTS_H
#define SMTP_RELAY_RESULTS_H

#include <stddef.h>

struct attempt_source;
struct buf;
struct delivery;

/* Writes the results of a delivery for the store, to the log and to the metrics. */

/* Appends "<recipient> <outcome> <code> <dup, sup or -> <text>\n" for each recipient, for
 * lua/queue/settle.lua. dup: the recipient may get the mail twice; sup: add the address to the
 * suppression list. For the n recipients from `first` on. */
void results_write(const struct delivery *d, size_t first, size_t n, struct buf *out);
/* Writes them to log and metrics. source NULL = no host was tried. */
void results_log(const struct delivery *d, size_t first, size_t n,
		 const struct attempt_source *source);

#endif

#ifndef SERVER_BASE_CLOCK_H
#define SERVER_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Clocks. Measure intervals by the monotonic clock. Store and show times in UTC, as ms since 1970
 * (clock_real_ms). */

/* Not changed when the time is set. Never stored: after a restart of the machine it begins again.
 */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* May jump when the time is set. */
int64_t clock_real_ms(void);

#define CLOCK_RFC3339_LEN 25
/* "2026-11-23T08:15:00.123Z" (RFC 3339, UTC, ms). */
void clock_rfc3339(int64_t real_ms, char out[CLOCK_RFC3339_LEN]);
/* Reads RFC 3339 with any offset; digits after the ms are dropped. -1: text is not such a time. */
int clock_parse_rfc3339(const char *text, int64_t *real_ms);

#define CLOCK_RFC5322_LEN 32
/* "Mon, 23 Nov 2026 08:15:00 +0000" (RFC 5322 3.3), English in every locale. */
void clock_rfc5322(int64_t real_ms, char out[CLOCK_RFC5322_LEN]);

#endif

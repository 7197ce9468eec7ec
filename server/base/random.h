#ifndef SERVER_BASE_RANDOM_H
#define SERVER_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Random numbers from getrandom(2), good enough for secrets. If getrandom fails, the process
 * aborts: its ids, keys and nonces would be guessable. */

void random_bytes(void *out, size_t len);
/* 0 <= result < n; n > 0. To spread load, not for secrets: numbers differ in frequency by n / 2^32.
 */
uint32_t random_below(uint32_t n);
/* A random number within `percent` % (0-100) of value; value >= 0. Use it for delays, so that many
 * clients do not retry at the same moment. */
int64_t random_jitter(int64_t value, unsigned percent);

#endif

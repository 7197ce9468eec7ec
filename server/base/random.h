#ifndef SERVER_BASE_RANDOM_H
#define SERVER_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Random numbers from getrandom(2), good enough for secrets. Without them no id, key or nonce can
 * be made, so the process aborts when the kernel gives none. */

void random_bytes(void *out, size_t len);
/* 0 <= result < n; n > 0. Fair enough to spread load: numbers differ in frequency by n / 2^32. */
uint32_t random_below(uint32_t n);
/* value, percent % more or less (0-100): for times that many wait for, so that they do not all come
 * back at once. value >= 0. */
int64_t random_jitter(int64_t value, unsigned percent);

#endif

/* Random numbers, drawn from the kernel in blocks. */
#include "server/base/random.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* One system call is enough for 18 ids. The pid is compared, because a forked child must not use
 * its parent's bytes. */
static struct {
	uint8_t bytes[256];
	size_t left;
	pid_t filled_by;
} pool;

static void fill(void)
{
	if (getrandom(pool.bytes, sizeof(pool.bytes), 0) != (ssize_t)sizeof(pool.bytes))
		abort(); /* new ids and keys would be guessable */
	pool.left = sizeof(pool.bytes);
	pool.filled_by = getpid();
}

void random_bytes(void *out, size_t len)
{
	uint8_t *to = out;

	if (pool.filled_by != getpid())
		pool.left = 0;
	while (len) {
		size_t n;

		if (!pool.left)
			fill();
		n = len < pool.left ? len : pool.left;
		pool.left -= n;
		memcpy(to, pool.bytes + pool.left, n);
		explicit_bzero(pool.bytes + pool.left, n);
		to += n;
		len -= n;
	}
}

uint32_t random_below(uint32_t n)
{
	uint32_t bits;

	random_bytes(&bits, sizeof(bits));
	return (uint32_t)((uint64_t)bits * n >> 32);
}

int64_t random_jitter(int64_t value, unsigned percent)
{
	int64_t span = value / 100 * percent + value % 100 * percent / 100;
	double part = (double)random_below(2000001) / 1000000 - 1; /* -1 to 1 */

	return value + (int64_t)((double)span * part);
}

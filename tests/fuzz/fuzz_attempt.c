/* Lines of attempts from any bytes: read or refused, within bounds, and what was read is written
 * and read the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/messages/attempt.h"

static void require(int claim)
{
	if (!claim)
		abort();
}

static void check_same(const struct attempt *a, const struct attempt *b)
{
	require(a->started_ms == b->started_ms && a->took_ms == b->took_ms && a->port == b->port);
	for (int i = ATTEMPT_NONE + 1; i < ATTEMPT_STEPS; i++)
		require(a->steps_ms[i] == b->steps_ms[i] && a->steps_ms[i] >= -1);
	require(a->tls == b->tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1), out[ATTEMPT_MAX], scratch[ATTEMPT_MAX], again[ATTEMPT_MAX];
	struct attempt a, b;
	size_t len;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = 0;
	if (attempt_parse(line, scratch, &a) == 0) {
		len = attempt_format(&a, out);
		require(len < ATTEMPT_MAX && strlen(out) == len);
		for (size_t i = 0; i < len; i++)
			require(out[i] >= ' ' && out[i] <= '~');
		require(attempt_parse(out, again, &b) == 0);
		check_same(&a, &b);
	}
	free(line);
	return 0;
}

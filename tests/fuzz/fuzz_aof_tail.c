/* The end of Redis's append-only file: bytes that users write are in it.
 *
 * What is unfinished stays so when more of it is cut off, and with zeros after it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/supervisor/aof_tail.h"

#define ZEROS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *copy = malloc(len + ZEROS);

	if (!copy)
		return 0;
	if (len)
		memcpy(copy, data, len);
	memset(copy + len, 0, ZEROS);
	if (aof_tail_check(copy, len) == AOF_TAIL_UNFINISHED) {
		if (aof_tail_check(copy, len + ZEROS) != AOF_TAIL_UNFINISHED)
			abort();
		for (size_t shorter = 0; shorter < len; shorter += 1 + len / 64)
			if (aof_tail_check(copy, shorter) != AOF_TAIL_UNFINISHED)
				abort();
	}
	free(copy);
	return 0;
}

/* The end of Redis's append-only file: bytes that users write are in it.
 *
 * What is unfinished stays so with zeros after it, and when more of it is cut off. The exception:
 * the cut is at the end of a whole command in a text. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/supervisor/aof_tail.h"

#define ZEROS 16

static bool ends_with_line(const char *bytes, size_t len)
{
	while (len && !bytes[len - 1])
		len--;
	return len && bytes[len - 1] == '\n';
}

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
			if (!ends_with_line(copy, shorter) &&
			    aof_tail_check(copy, shorter) != AOF_TAIL_UNFINISHED)
				abort();
	}
	free(copy);
	return 0;
}

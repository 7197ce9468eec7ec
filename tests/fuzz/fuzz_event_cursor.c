#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/messages/event_cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the number of partitions. What is taken is written again as it was. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned partitions = size ? data[0] % 64u + 1 : 1;
	char *text = calloc(size + 1, 1);
	struct event_cursor cursor = {.lines = 0};
	struct buf again = {0};

	assert(text);
	if (size)
		memcpy(text, data + 1, size - 1);
	if (event_cursor_read(text, partitions, &cursor) == 0) {
		assert(cursor.partition < partitions);
		event_cursor_write(&cursor, &again);
		assert(strcmp(buf_text(&again), text) == 0);
		buf_deinit(&again);
	}
	free(text);
	return 0;
}

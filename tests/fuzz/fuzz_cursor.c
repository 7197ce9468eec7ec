#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/messages/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the number of partitions. What is taken is written again as it was. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned n = size ? data[0] % 64u + 1 : 1;
	struct cursor_position *places = malloc(n * sizeof(*places));
	char *text = calloc(size + 1, 1);
	struct buf again = {0};

	assert(text && places);
	if (size)
		memcpy(text, data + 1, size - 1);
	if (cursor_read(text, places, n) == 0) {
		for (unsigned i = 0; i < n; i++)
			assert(places[i].at >= 0 && places[i].index >= 0);
		cursor_write(places, n, &again);
		assert(strcmp(buf_text(&again), text) == 0);
		buf_deinit(&again);
	}
	free(text);
	free(places);
	return 0;
}

/* The distance between two words. */
#include "server/base/spelling.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One row of the matrix at a time. */
size_t spelling_distance(const char *a, const char *b)
{
	size_t row[SPELLING_MAX + 1], b_len = strlen(b);

	if (b_len > SPELLING_MAX)
		return SPELLING_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_len; j++) {
			size_t up = row[j + 1];

			row[j + 1] = least(least(up, row[j]) + 1, corner + (a[i] != b[j]));
			corner = up;
		}
	}
	return row[b_len];
}

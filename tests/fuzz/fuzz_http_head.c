#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/wire/chunks.h"
#include "api/wire/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces a body gets the verdict that it gets as a whole. */
static void try_chunks(const char *text, size_t len, size_t piece)
{
	struct chunks whole = {0}, pieces = {0};
	size_t used = 0, sum = 0, n;
	enum scan_verdict verdict = chunks_scan(&whole, text, len, &used), last = SCAN_MORE;

	for (size_t i = 0; i < len && last == SCAN_MORE; i += piece) {
		n = 0;
		last = chunks_scan(&pieces, text + i, len - i < piece ? len - i : piece, &n);
		sum += n;
	}
	assert(last == verdict);
	assert(verdict == SCAN_BAD || (used == sum && used <= len));
}

/* What is good stays good with more octets after it, and so does what is bad. */
static void try_head(const char *text, size_t len)
{
	struct scan first, second;
	enum scan_verdict verdict = scan_head(text, len / 2, &first);

	if (verdict != SCAN_MORE) {
		assert(scan_head(text, len, &second) == verdict);
		assert(verdict != SCAN_GOOD ||
		       (first.len == second.len && first.body_len == second.body_len));
	}
	if (scan_head(text, len, &first) == SCAN_BAD)
		assert(first.detail && problem_status(first.problem) >= 400);
}

/* The first octet says what the rest is for, and into what pieces it is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	assert(text);
	memcpy(text, data + 1, size - 1);
	if (data[0] & 1)
		try_chunks(text, size - 1, 1 + data[0] / 2);
	else
		try_head(text, size - 1);
	free(text);
	return 0;
}

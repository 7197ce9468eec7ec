/* SMTP replies from hostile bytes: the same whole and in pieces, bounded, and safe to show. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client/reply.h"

static void require(int claim)
{
	if (!claim)
		abort();
}

static void check_text(const struct reply *r, size_t size)
{
	char text[300];

	reply_text(r, text, size);
	require(strlen(text) < size);
	for (const char *p = text; *p; p++)
		require((unsigned char)*p >= 0x20 && *p != 0x7f);
}

/* A number that tells one run from another. */
static unsigned read_all(const char *bytes, size_t len, size_t chunk)
{
	struct reply r = {0};
	unsigned hash = 5381;
	size_t used;

	for (size_t at = 0; at < len; at += used) {
		size_t n = len - at < chunk ? len - at : chunk;
		enum reply_status status = reply_feed(&r, bytes + at, n, &used);

		require(used <= n && r.n_bytes <= REPLY_BYTES_MAX + n);
		require(r.text.len <= REPLY_BYTES_MAX);
		if (status == REPLY_MORE) {
			require(used == n);
			continue;
		}
		hash = hash * 33 + (unsigned)status * 1000 + (unsigned)r.code;
		if (status == REPLY_BAD)
			break;
		require(r.code >= 200 && r.code <= 599);
		for (size_t i = 0; i < r.text.len; i++)
			hash = hash * 33 + (unsigned char)r.text.data[i];
		check_text(&r, 200);
		check_text(&r, 7);
		reply_reset(&r);
	}
	reply_deinit(&r);
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned whole = read_all((const char *)data, size, size + 1);

	require(read_all((const char *)data, size, 1) == whole);
	require(read_all((const char *)data, size, 7) == whole);
	return 0;
}

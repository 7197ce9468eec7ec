/* Targets of requests: what is read has no control characters, and each parameter is found by its
 * name. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/wire/uri.h"
#include "server/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	size_t len = strlen(text);
	uint32_t cp;

	for (size_t n; len; text += n, len -= n) {
		n = utf8_next(text, len, &cp);
		assert(n && cp >= 0x20 && cp != 0x7f);
	}
}

static void try_target(const char *target)
{
	char *room = malloc(URI_SCRATCH(strlen(target)));
	const char *why = NULL;
	struct uri u;

	assert(room);
	if (uri_parse(&u, target, room, &why) == URI_OK) {
		assert(u.n_segments > 0 && *u.path == '/' && !strchr(u.path, '?'));
		for (size_t i = 0; i < u.n_segments; i++) {
			check_text(u.segments[i]);
			assert(*u.segments[i] && !strchr(u.segments[i], '\\'));
			assert(strcmp(u.segments[i], "..") != 0);
		}
		for (size_t i = 0; i < u.n_pairs; i++) {
			check_text(u.pairs[i].name);
			check_text(u.pairs[i].value);
			assert(uri_query(&u, u.pairs[i].name) == u.pairs[i].value);
		}
	}
	free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	assert(text);
	memcpy(text, data, size);
	text[size] = 0;
	try_target(text);
	free(text);
	return 0;
}

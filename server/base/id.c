/* Makes and reads public ids. */
#include "server/base/id.h"

#include <string.h>

#include "server/base/clock.h"
#include "server/base/random.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
#define TIME_LEN 10
#define RANDOM_LEN 14
#define BODY_LEN (ID_LEN - 4)

void id_write(char *out, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		out[i] = alphabet[p[i] & 31];
	out[len] = 0;
}

void id_random(char *out, size_t len)
{
	random_bytes(out, len);
	id_write(out, out, len);
}

struct id id_make(const char *prefix, unsigned partition)
{
	uint64_t ms = (uint64_t)clock_real_ms();
	struct id id;
	char *p = id.text;

	memcpy(p, prefix, 3);
	p[3] = '_';
	for (int i = TIME_LEN - 1; i >= 0; i--) {
		p[4 + i] = alphabet[ms & 31];
		ms >>= 5;
	}
	id_random(p + 4 + TIME_LEN, RANDOM_LEN);
	p[ID_LEN - 2] = alphabet[partition >> 5 & 31];
	p[ID_LEN - 1] = alphabet[partition & 31];
	p[ID_LEN] = 0;
	return id;
}

bool id_valid(const char *prefix, const char *text)
{
	if (strncmp(text, prefix, 3) != 0 || text[3] != '_' || strlen(text) != ID_LEN)
		return false;
	return strspn(text + 4, alphabet) == BODY_LEN;
}

static unsigned digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (unsigned)(at - alphabet) : 0;
}

unsigned id_partition(const char *id)
{
	return digit(id[ID_LEN - 2]) << 5 | digit(id[ID_LEN - 1]);
}

int64_t id_ms(const char *id)
{
	int64_t ms = 0;

	for (size_t i = 0; i < TIME_LEN; i++)
		ms = ms << 5 | digit(id[4 + i]);
	return ms;
}

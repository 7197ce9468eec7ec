/* Reads enhanced status codes. */
#include "server/route/enhanced.h"

/* One to three digits at *at; -1 if there are none, or more. */
static int read_number(const char *text, size_t len, size_t *at)
{
	size_t begin = *at;
	int value = 0;

	while (*at < len && text[*at] >= '0' && text[*at] <= '9' && *at - begin < 4)
		value = value * 10 + (text[(*at)++] - '0');
	return *at == begin || *at - begin > 3 ? -1 : value;
}

static bool skip_dot(const char *text, size_t len, size_t *at)
{
	return *at < len && text[(*at)++] == '.';
}

bool enhanced_parse(const char *text, size_t len, struct enhanced *out)
{
	struct enhanced e;
	size_t at = 0;

	*out = (struct enhanced){0};
	e.class = read_number(text, len, &at);
	if ((e.class != 2 && e.class != 4 && e.class != 5) || at != 1 || !skip_dot(text, len, &at))
		return false;
	e.subject = read_number(text, len, &at);
	if (e.subject < 0 || !skip_dot(text, len, &at))
		return false;
	e.detail = read_number(text, len, &at);
	if (e.detail < 0 || (at < len && text[at] != ' '))
		return false;
	*out = e;
	return true;
}

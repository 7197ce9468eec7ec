/* Reads decimal numbers of bounded size. */
#include "server/base/number.h"

size_t number_read(const char *text, size_t len, int64_t max, int64_t *n)
{
	int64_t value = 0;
	size_t i;

	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		int digit = text[i] - '0';

		if (value > max / 10 || value * 10 > max - digit)
			return 0;
		value = value * 10 + digit;
	}
	if (i > 0)
		*n = value;
	return i;
}

int number_parse(const char *text, size_t len, int64_t min, int64_t max, int64_t *n)
{
	int64_t value;

	if (len == 0 || number_read(text, len, max, &value) != len || value < min)
		return -1;
	*n = value;
	return 0;
}

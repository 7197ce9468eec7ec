/* Percent-encoding in both directions. */
#include "server/base/percent.h"

#include "server/base/hex.h"

long percent_decode(const char *text, size_t len, char *out, size_t room)
{
	const char *end = text + len;
	size_t n = 0;

	while (text < end) {
		int octet = (unsigned char)*text;
		size_t used = 1;

		if (octet == '%') {
			octet = end - text < PERCENT_LEN ? -1 : hex_octet(text + 1);
			used = PERCENT_LEN;
		}
		if (octet < 0)
			return -1;
		if (n + 1 < room)
			out[n] = (char)octet;
		n++;
		text += used;
	}
	if (room)
		out[n < room ? n : room - 1] = 0;
	return (long)n;
}

void percent_encode(unsigned char octet, char out[PERCENT_LEN])
{
	static const char digits[] = "0123456789ABCDEF";

	out[0] = '%';
	out[1] = digits[octet >> 4];
	out[2] = digits[octet & 15];
}

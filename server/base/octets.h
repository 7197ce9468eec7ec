#ifndef SERVER_BASE_OCTETS_H
#define SERVER_BASE_OCTETS_H

#include <stdint.h>
#include <string.h>

/* Tests eight octets of a text at once. Each test sets the high bit of every octet that matches. It
 * may report false positives after a true match, never otherwise. So combine tests by OR, and look
 * at single octets only if octets_any() of the result is not 0. The tests are correct for ASCII. To
 * find octets above 0x7f as well, OR the word itself to the result. */

#define OCTETS_ONES UINT64_C(0x0101010101010101)

static inline uint64_t octets_load(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Octets below c (1 to 0x80). */
static inline uint64_t octets_below(uint64_t w, unsigned char c)
{
	return w - OCTETS_ONES * c;
}

static inline uint64_t octets_are(uint64_t w, unsigned char c)
{
	return (w ^ OCTETS_ONES * c) - OCTETS_ONES;
}

static inline uint64_t octets_any(uint64_t found)
{
	return found & OCTETS_ONES << 7;
}

#endif

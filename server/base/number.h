#ifndef SERVER_BASE_NUMBER_H
#define SERVER_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Reads decimal numbers of bounded size: digits only, no sign, no blank, any leading zeros. */

/* Reads the digits at the start of text. Returns their count. 0: there is no digit, or the value is
 * above max; *n is unchanged. */
size_t number_read(const char *text, size_t len, int64_t max, int64_t *n);
/* Reads all of text as a number from min to max. -1: it is not such a number; *n is unchanged. */
int number_parse(const char *text, size_t len, int64_t min, int64_t max, int64_t *n);

#endif

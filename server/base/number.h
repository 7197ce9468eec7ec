#ifndef SERVER_BASE_NUMBER_H
#define SERVER_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Decimal numbers of bounded size: digits only, no sign, no blank. Leading zeros count as digits.
 */

/* Reads the digits at the front of len characters. Returns how many they are; 0, with *n untouched,
 * when there are none or their value is above max. */
size_t number_read(const char *text, size_t len, int64_t max, int64_t *n);
/* Reads all of text as a number from min to max. 0, or -1 with *n untouched. */
int number_parse(const char *text, size_t len, int64_t min, int64_t max, int64_t *n);

#endif

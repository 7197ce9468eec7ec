#ifndef SERVER_BASE_SPELLING_H
#define SERVER_BASE_SPELLING_H

#include <stddef.h>

/* The similarity of two words, for error texts that ask "did you mean ...?". */

#define SPELLING_MAX 64

/* Levenshtein distance: how many octets to insert, remove or replace. SPELLING_MAX when b is longer
 * than that. */
size_t spelling_distance(const char *a, const char *b);

#endif

#ifndef SERVER_BASE_SPELLING_H
#define SERVER_BASE_SPELLING_H

#include <stddef.h>

/* How alike are two words? For suggestions of what a person meant to write. */

#define SPELLING_MAX 64

/* Levenshtein distance: how many octets to insert, remove or replace. SPELLING_MAX when b is longer
 * than that. */
size_t spelling_distance(const char *a, const char *b);

#endif

#ifndef API_JSON_JSON_PLAIN_H
#define API_JSON_JSON_PLAIN_H

#include <stddef.h>

#include <jansson.h>

/* Reads plain JSON, which nearly all bodies are. For 4 KB it takes less than a tenth of the time of
 * json_loadb, which makes several calls for each octet. The result is the same as of
 * json_loadb(JSON_REJECT_DUPLICATES). NULL: not plain, call json_loadb. Not plain are negative
 * numbers, fractions and exponents, text that is not JSON, and a name twice in an object; NULL also
 * if out of memory. It recurses once for each level, so the caller must limit the levels. */
json_t *json_plain(const char *text, size_t len);

#endif

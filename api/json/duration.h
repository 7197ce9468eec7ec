#ifndef API_JSON_DURATION_H
#define API_JSON_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

/* "90s", "10m", "48h", "2d": a whole number of at most six digits and a unit, nothing else. least_s
 * and most_s are the limits; the text of ERR_INPUT names both. */
int duration_parse(const char *text, size_t len, int64_t least_s, int64_t most_s, int64_t *ms,
		   struct err *e);

#endif

#ifndef SERVER_CLI_OUTPUT_H
#define SERVER_CLI_OUTPUT_H

#include <stdint.h>

#include <jansson.h>

#include "server/base/clock.h"
#include "server/base/err.h"

/* Prints the results of a command to stdout. */

/* Flushes stdout. ERR_INTERNAL: the output could not be written (a full disk, a closed pipe). */
int output_flush(struct err *e) __attribute__((warn_unused_result));
/* Prints the value on one line, and flushes. NULL: out of memory. */
int output_json(json_t *take_value, struct err *e) __attribute__((warn_unused_result));
/* A time as in the API; null for 0. */
json_t *output_time(int64_t ms);
/* The same as text, in `text`, which is returned; "-" for 0. */
const char *output_time_text(int64_t ms, char text[CLOCK_RFC3339_LEN]);

#endif

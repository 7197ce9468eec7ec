#ifndef SERVER_REDIS_RESP_H
#define SERVER_REDIS_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

/* Reads replies of Redis: values of its protocol, RESP. All functions accept NULL and replies of
 * any type. A missing value reads as an empty array, an empty text or 0. Items and texts live as
 * long as the reply. */

struct resp;
struct call_result;

bool resp_is_array(const struct resp *r);
bool resp_is_text(const struct resp *r);
bool resp_is_number(const struct resp *r);
bool resp_is_nil(const struct resp *r);

/* Items of an array. */
size_t resp_count(const struct resp *r);
const struct resp *resp_item(const struct resp *r, size_t i); /* NULL: no such item */

/* A text and its length; a NUL follows the text. */
const char *resp_text(const struct resp *r);
size_t resp_len(const struct resp *r);

int64_t resp_number(const struct resp *r);
/* resp_number(resp_item(r, i)) */
int64_t resp_number_at(const struct resp *r, size_t i);

/* The reply of TIME, {s, us}, in ms since 1970. 0: another reply, or not a time. */
int64_t resp_time_ms(const struct resp *r);

/* Fills e with "Redis sent an unexpected reply" (ERR_INTERNAL); returns -1. */
int resp_unexpected(struct err *e);

/* ---- an array of rows as a list of structs ---- */

/* Reads the row that starts at item `at` of the array into *out. Returns 0, or why there is none.
 */
enum {
	RESP_ROW_SKIPPED = -1, /* it is damaged, or gone: the list is without it */
	RESP_ROW_OOM = -2,     /* out of memory: an error of the whole list */
};
typedef int resp_row_fn(const struct resp *array, size_t at, void *out, void *context);
struct resp_shape {
	size_t first; /* items before the first row */
	size_t width; /* items of a row */
	size_t size;  /* of the struct that `read` fills; it is zeroed first */
	resp_row_fn *read;
	void (*drop)(void *row); /* frees what the struct has; NULL: nothing */
};
struct resp_rows {
	void *list; /* free() */
	size_t n;
};
/* ERR_INTERNAL: out of memory, or no array. */
int resp_read_rows(const struct resp *array, const struct resp_shape *shape, void *context,
		   struct resp_rows *out, struct err *e);
/* As resp_read_rows for the reply of a call; a call without a reply gives the call's error. */
int resp_read_result(const struct call_result *result, const struct resp_shape *shape,
		     void *context, struct resp_rows *out, struct err *e);

#endif

#ifndef API_PAGE_H
#define API_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "api/http/request.h"

/* Pages of a list: ?limit=1-100 (default 20) and ?cursor=; the response is {data, next_cursor} with
 * `Link: <...>; rel="next"`. A cursor is opaque here: the resource knows what it means. */

#define PAGE_LIMIT_DEFAULT 20
#define PAGE_LIMIT_MAX 100
#define PAGE_CURSOR_MAX 200 /* of resources that are not in partitions */

struct page {
	size_t limit;
	const char *cursor; /* NULL: the first page; else of A-Z a-z 0-9 . _ - */
};

/* names: the other query parameters of the route, ended by NULL; any more are refused. ERR_INPUT.
 */
int page_read(const struct request *r, const char *const *names, struct page *p, struct err *e);
/* -1, with the text for a cursor that Postern did not make. */
int page_bad_cursor(struct err *e);
/* A whole number in digits, min..max; not given: *n stays. */
int page_number(const struct request *r, const char *name, long min, long max, long *n,
		struct err *e);
/* For a list that is newest first, of ids that sort by age: does id belong on this page, which has
 * the items of data so far? */
bool page_shows(const struct page *p, const json_t *data, const char *id);
/* next: NULL on the last page. take_data NULL: 500. */
void page_answer(struct request *r, json_t *take_data, const char *next);

#endif

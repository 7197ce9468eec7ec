#ifndef API_PAGE_H
#define API_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "api/http/request.h"

/* Pages of a list: ?limit=1-100 (default 20) and ?cursor=, answered as {data, next_cursor} with
 * `Link: <...>; rel="next"`. What a cursor means is the resource's affair; here it is opaque. */

#define PAGE_LIMIT_DEFAULT 20
#define PAGE_LIMIT_MAX 100
#define PAGE_CURSOR_MAX 200 /* for those that are not places (server/store/messages/cursor.h) */

struct page {
	size_t limit;
	const char *cursor; /* NULL: the first page; else of A-Z a-z 0-9 . _ - */
};

/* names: the other query parameters of the route, ended by NULL; any more are refused. ERR_INPUT.
 */
int page_read(const struct request *r, const char *const *names, struct page *p, struct err *e);
/* -1, with what to do about a cursor that is none of ours. */
int page_bad_cursor(struct err *e);
/* A whole number in digits, min..max; absent: *n stays. */
int page_number(const struct request *r, const char *name, long min, long max, long *n,
		struct err *e);
/* Of a list that is newest first, of ids that sort by age: does id come on this page, which has the
 * items of data so far? */
bool page_shows(const struct page *p, const json_t *data, const char *id);
/* next: NULL on the last page. take_data NULL: answers 500. */
void page_answer(struct request *r, json_t *take_data, const char *next);

#endif

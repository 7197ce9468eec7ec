#ifndef API_PAGE_H
#define API_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "api/http/request.h"
#include "server/mail/address.h"

/* Pages of a list: ?limit=1-100 (default 20) and ?cursor=; the response is {data, next_cursor} with
 * `Link: <...>; rel="next"`. Only the resource knows the format of a cursor. */

#define PAGE_LIMIT_DEFAULT 20
#define PAGE_LIMIT_MAX 100
#define PAGE_CURSOR_MAX 200 /* octets, of resources that are not in partitions */

struct page {
	size_t limit;
	const char *cursor; /* NULL: the first page; else of A-Z a-z 0-9 . _ - */
};

/* names: the other query parameters of the route, ended by NULL; all others are refused. ERR_INPUT:
 * the text for the user. */
int page_read(const struct request *r, const char *const *names, struct page *p, struct err *e);
/* As page_read, for a list whose cursors are ids: `<prefix>_...`. */
int page_read_ids(const struct request *r, const char *prefix, const char *const *names,
		  struct page *p, struct err *e);
/* Begins a list: take_state becomes the state of the request, to be freed with free_fn, and read
 * fills it from the query. If that fails, or take_state is NULL (out of memory), it responds and
 * returns NULL. */
typedef int page_query_fn(const struct request *r, void *state, struct err *e);
void *page_begin(struct request *r, void *take_state, void (*free_fn)(void *), page_query_fn *read);
/* The same for a list of ids: the state of the request is its page, which is returned. prefix and
 * names as for page_read_ids. */
const struct page *page_begin_ids(struct request *r, const char *prefix, const char *const *names);
/* Returns -1 and sets the error for a cursor that Postern did not make. */
int page_bad_cursor(struct err *e);
/* Reads a whole number from min to max. If it is not given, *n is unchanged. */
int page_number(const struct request *r, const char *name, long min, long max, long *n,
		struct err *e);
/* Reads the query parameter tag, of 1 to 64 characters. *tag: NULL if it is not given. */
int page_tag(const struct request *r, const char **tag, struct err *e);
/* Reads the query parameter to, an address, into a. *email: its text in a; unchanged if it is not
 * given. */
int page_to(const struct request *r, struct address *a, const char **email, struct err *e);
/* Responds with the page. next: the cursor of the next page; NULL on the last page. Takes
 * take_data; NULL: 500. */
void page_respond(struct request *r, json_t *take_data, const char *next);
/* The same with more members, an object. Takes take_more; NULL: 500. */
void page_respond_with(struct request *r, json_t *take_data, const char *next, json_t *take_more);
/* A list whose cursors are ids that sort by age: n structs of a store function. Each begins with
 * its id, an array of char. */
struct page_rows {
	const char *newest;
	ptrdiff_t step; /* octets from a row to the next older one */
	size_t n;
};
typedef json_t *page_row_fn(const void *row); /* with the member id; NULL: out of memory */
/* For the callback of the store function, after page_begin_ids. why: its error, or NULL. */
void page_respond_rows(struct request *r, const struct page_rows *rows, const struct err *why,
		       page_row_fn *json);

#endif

/* Lists, a page at a time. */
#include "api/page.h"

#include <stdlib.h>
#include <string.h>

#include "api/http/response.h"
#include "server/base/json_text.h"
#include "server/base/buf.h"
#include "server/base/id.h"
#include "server/base/number.h"
#include "server/base/percent.h"
#include "server/store/messages/cursor.h"

#define TAG_MAX 64

static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				 "._-";

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

int page_tag(const struct request *r, const char **tag, struct err *e)
{
	*tag = request_query(r, "tag");
	if (*tag && (!**tag || strlen(*tag) > TAG_MAX))
		return err_set(e, ERR_INPUT, "Query parameter tag: must have 1 to %d characters",
			       TAG_MAX);
	return 0;
}

int page_to(const struct request *r, struct address *a, const char **email, struct err *e)
{
	const char *text = request_query(r, "to");

	if (!text)
		return 0;
	if (address_make(text, strlen(text), NULL, 0, a, e) < 0)
		return err_prefix(e, "Query parameter to%s",
				  strchr(text, ' ') ? " (write a + as %2B)" : "");
	*email = a->email;
	return 0;
}

int page_number(const struct request *r, const char *name, long min, long max, long *n,
		struct err *e)
{
	const char *text = request_query(r, name);
	int64_t value;

	if (!text)
		return 0;
	if (number_parse(text, strlen(text), min, max, &value) < 0)
		return err_set(e, ERR_INPUT,
			       "Query parameter %s: must be a number from %ld to %ld.", name, min,
			       max);
	*n = (long)value;
	return 0;
}

int page_bad_cursor(struct err *e)
{
	return err_set(
		e, ERR_INPUT,
		"Query parameter cursor: use the `next_cursor` of the previous page as it is.");
}

int page_read(const struct request *r, const char *const *names, struct page *p, struct err *e)
{
	static const char *const own[] = {"limit", "cursor", NULL};
	long limit = PAGE_LIMIT_DEFAULT;
	const char *name;

	for (size_t i = 0; (name = request_query_name(r, i)); i++)
		if (!is_one_of(name, own) && !is_one_of(name, names))
			return err_set(e, ERR_INPUT, "Unknown query parameter `%.60s`.", name);
	if (page_number(r, "limit", 1, PAGE_LIMIT_MAX, &limit, e) < 0)
		return -1;
	p->limit = (size_t)limit;
	p->cursor = request_query(r, "cursor");
	if (p->cursor && (!*p->cursor || strlen(p->cursor) > CURSOR_MAX_BYTES ||
			  strspn(p->cursor, unreserved) != strlen(p->cursor)))
		return page_bad_cursor(e);
	return 0;
}

int page_read_ids(const struct request *r, const char *prefix, const char *const *names,
		  struct page *p, struct err *e)
{
	if (page_read(r, names, p, e) < 0)
		return -1;
	return p->cursor && !id_valid(prefix, p->cursor) ? page_bad_cursor(e) : 0;
}

static bool keep_state(struct request *r, void *take_state, void (*free_fn)(void *))
{
	if (take_state)
		request_set_state(r, take_state, free_fn);
	else
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
	return take_state;
}

void *page_begin(struct request *r, void *take_state, void (*free_fn)(void *), page_query_fn *read)
{
	struct err e;

	if (!keep_state(r, take_state, free_fn))
		return NULL;
	if (read(r, take_state, &e) == 0)
		return take_state;
	response_err(r, &e);
	return NULL;
}

const struct page *page_begin_ids(struct request *r, const char *prefix, const char *const *names)
{
	struct page *p = calloc(1, sizeof(*p));
	struct err e;

	if (!keep_state(r, p, free))
		return NULL;
	if (page_read_ids(r, prefix, names, p, &e) == 0)
		return p;
	response_err(r, &e);
	return NULL;
}

/* RFC 3986 2.1 */
static void put_encoded(struct buf *out, const char *text)
{
	char code[PERCENT_LEN];

	for (; *text; text++) {
		percent_encode((unsigned char)*text, code);
		if (strchr(unreserved, *text))
			buf_char(out, *text);
		else
			buf_append(out, code, sizeof(code));
	}
}

static void put_pair(struct buf *out, char before, const char *name, const char *value)
{
	buf_char(out, before);
	put_encoded(out, name);
	buf_char(out, '=');
	put_encoded(out, value);
}

/* RFC 8288: this request's target with another cursor. */
static void add_link(struct request *r, const char *next)
{
	struct buf link = {0};
	const char *name;

	buf_fmt(&link, "<%s", request_path(r));
	put_pair(&link, '?', "cursor", next);
	for (size_t i = 0; (name = request_query_name(r, i)); i++)
		if (strcmp(name, "cursor") != 0)
			put_pair(&link, '&', name, request_query(r, name));
	buf_str(&link, ">; rel=\"next\"");
	if (!link.failed)
		response_header(r, "Link", buf_text(&link));
	buf_deinit(&link);
}

void page_respond(struct request *r, json_t *take_data, const char *next)
{
	page_respond_with(r, take_data, next, json_object());
}

void page_respond_with(struct request *r, json_t *take_data, const char *next, json_t *take_more)
{
	json_t *body =
		take_data ? json_pack("{s:o, s:s?}", "data", take_data, "next_cursor", next) : NULL;

	if (json_object_update(body, take_more) < 0) {
		json_decref(body);
		body = NULL;
	}
	json_decref(take_more);
	if (!body) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return;
	}
	if (next)
		add_link(r, next);
	response_json(r, 200, body);
}

static bool belongs(const struct page *p, const json_t *data, const char *id)
{
	return json_array_size(data) < p->limit && (!p->cursor || strcmp(id, p->cursor) < 0);
}

void page_respond_rows(struct request *r, const struct page_rows *rows, const struct err *why,
		       page_row_fn *json)
{
	const struct page *p = request_state(r);
	const char *row, *next = NULL;
	json_t *data;

	if (why) {
		response_err(r, why);
		return;
	}
	data = json_array();
	for (size_t i = 0; i < rows->n; i++) {
		row = rows->newest + (ptrdiff_t)i * rows->step;
		if (!belongs(p, data, row))
			continue;
		json_list_add(&data, json(row));
		next = row; /* its id */
	}
	page_respond(r, data, json_array_size(data) == p->limit ? next : NULL);
}

/* The test inbox: reads pages of it. First the entries, then the contents of a bounded page. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/buf.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/messages/content.h"
#include "server/store/messages/content_chunks.h"
#include "server/store/projects/inbox.h"
#include "server/store/projects/stored_json.h"

#define PAGE_BYTES ((int64_t)4 << 20)
#define READINGS_MAX 4

/* The content of a message, which several mails of a page may have. */
struct content {
	struct reading *reading;
	char message[31];
	size_t chunks;
	struct buf packed, mail;
	bool is_missing;
};

struct row {
	struct inbox_mail mail;
	json_t *head;
	int64_t sequence;
	size_t chunks;
	size_t content; /* its place among the contents */
};

struct reading {
	struct reading *next; /* that waits */
	struct readings *all;
	char project[12];
	int64_t since_ms;
	int64_t page_next, dropped;
	struct row *rows;
	size_t n_rows;
	struct content *contents;
	size_t n_contents, n_open; /* n_open: contents that are being read */
	struct err why;
	inbox_fn *fn;
	void *arg;
};

/* The readings of a process. Those that wait have no content yet. */
struct readings {
	struct redis *redis;
	struct reading *active[READINGS_MAX]; /* NULL: free */
	struct reading *waiting;
};

static void *readings_new(struct redis *redis)
{
	struct readings *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->redis = redis;
	return all;
}

static void reading_free(struct reading *r)
{
	for (size_t i = 0; i < r->n_contents; i++) {
		buf_deinit(&r->contents[i].packed);
		buf_deinit(&r->contents[i].mail);
	}
	for (size_t i = 0; i < r->n_rows; i++)
		json_decref(r->rows[i].head);
	free(r->contents);
	free(r->rows);
	free(r);
}

static void readings_free(void *state)
{
	struct readings *all = state;

	while (all->waiting) {
		struct reading *r = all->waiting;

		all->waiting = r->next;
		reading_free(r);
	}
	free(all);
}

static void start_waiting(struct readings *all);

static struct reading **find_active(struct readings *all, const struct reading *r)
{
	for (size_t i = 0; i < READINGS_MAX; i++)
		if (all->active[i] == r)
			return &all->active[i];
	return NULL;
}

static void end_reading(struct reading *r, const struct inbox_page *page, const struct err *why)
{
	struct readings *all = r->all;
	struct reading **place = find_active(all, r);

	if (place)
		*place = NULL;
	r->fn(page, why, r->arg);
	reading_free(r);
	start_waiting(all);
}

static bool is_reading(const struct readings *all, const char *project)
{
	for (size_t i = 0; i < READINGS_MAX; i++)
		if (all->active[i] && strcmp(all->active[i]->project, project) == 0)
			return true;
	return false;
}

/* The first one of a tenant that reads nothing now; if there is none, the first one. */
static struct reading *take_waiting(struct readings *all)
{
	struct reading **p = &all->waiting, *r;

	while (*p && is_reading(all, (*p)->project))
		p = &(*p)->next;
	if (!*p)
		p = &all->waiting;
	r = *p;
	if (r)
		*p = r->next;
	return r;
}

static void add_waiting(struct readings *all, struct reading *r)
{
	struct reading **p = &all->waiting;

	while (*p)
		p = &(*p)->next;
	*p = r;
}

static void readings_abandon(void *state)
{
	struct readings *all = state;
	struct reading *r;
	struct err why;

	err_set(&why, ERR_RETRY, "the process is stopping");
	while ((r = take_waiting(all))) {
		r->fn(NULL, &why, r->arg);
		reading_free(r);
	}
}

static const struct redis_part_kind readings_kind = {
	.make = readings_new, .abandon = readings_abandon, .free_fn = readings_free};

/* ---- contents ---- */

/* Unpacks the contents and gives the page to the caller. A mail whose content is missing or damaged
 * is left out. */
static void give_page(struct reading *r)
{
	struct inbox_mail *mails = calloc(r->n_rows + 1, sizeof(*mails));
	struct inbox_page page = {mails, 0, r->page_next, r->dropped};
	struct err e;

	for (size_t i = 0; i < r->n_contents; i++) {
		struct content *c = &r->contents[i];

		c->is_missing |= content_unpack(buf_text(&c->packed), c->packed.len,
						INBOX_MAIL_BYTES, &c->mail, &e) < 0;
		buf_deinit(&c->packed);
	}
	for (size_t i = 0; mails && i < r->n_rows; i++) {
		const struct content *c = &r->contents[r->rows[i].content];

		if (c->is_missing)
			continue;
		mails[page.n] = r->rows[i].mail;
		mails[page.n].mail = buf_text(&c->mail);
		mails[page.n++].mail_len = c->mail.len;
	}
	if (!mails)
		err_oom(&e);
	end_reading(r, mails ? &page : NULL, mails ? NULL : &e);
	free(mails);
}

static void on_content(const struct err *why, void *arg)
{
	struct content *c = arg;
	struct reading *r = c->reading;

	c->is_missing = why != NULL;
	if (why && why->kind != ERR_NOT_FOUND)
		r->why = *why;
	if (--r->n_open)
		return;
	if (r->why.kind)
		end_reading(r, NULL, &r->why);
	else
		give_page(r);
}

static void read_contents(struct reading *r)
{
	r->n_open = r->n_contents;
	for (size_t i = 0; i < r->n_contents; i++) {
		struct content *c = &r->contents[i];
		char name[96];

		snprintf(name, sizeof(name), KEY_INBOX_CONTENT, r->project, c->message);
		content_chunks_read(r->all->redis, INBOX_PARTITION, name, c->chunks, INBOX_LIMIT_MS,
				    &c->packed, on_content, c);
	}
}

static void start_waiting(struct readings *all)
{
	struct reading **place, *r;

	while ((place = find_active(all, NULL)) && (r = take_waiting(all))) {
		*place = r;
		read_contents(r);
	}
}

static size_t find_content(const struct reading *r, const char *message)
{
	size_t i = 0;

	while (i < r->n_contents && strcmp(r->contents[i].message, message) != 0)
		i++;
	return i;
}

/* Fills in the contents that the rows need, each once. */
static void plan_contents(struct reading *r)
{
	for (size_t i = 0; i < r->n_rows; i++) {
		struct row *row = &r->rows[i];

		row->content = find_content(r, row->mail.message);
		if (row->content < r->n_contents)
			continue;
		r->contents[r->n_contents] = (struct content){.reading = r, .chunks = row->chunks};
		memcpy(r->contents[r->n_contents++].message, row->mail.message,
		       sizeof(row->mail.message));
	}
}

/* ---- entries ---- */

/* "ms message", the name, and JSON, a line each. */
static int read_row(const struct resp *array, size_t at, void *out, void *context)
{
	const struct resp *entry = resp_item(array, at + INBOX_LIST_MAIL_ENTRY);
	const char *text = resp_text(entry), *name = strchr(text, '\n');
	const char *json = name ? strchr(name + 1, '\n') : NULL;
	struct row *row = out;
	int end = 0, rc;

	(void)context;
	row->sequence = resp_number_at(array, at + INBOX_LIST_MAIL_SEQUENCE);
	row->chunks = (size_t)resp_number_at(array, at + INBOX_LIST_MAIL_CHUNKS);
	if (!json || row->chunks == 0 || sscanf(text, "%*d %30s%n", row->mail.message, &end) != 1 ||
	    text + end != name)
		return -1;
	rc = stored_json_row(json + 1, resp_len(entry) - (size_t)(json + 1 - text), &row->head);
	if (rc < 0)
		return rc;
	row->mail.recipient = stored_json_text(row->head, "recipient");
	row->mail.sender = stored_json_text(row->head, "sender");
	row->mail.received_ms = json_integer_value(json_object_get(row->head, "received_ms"));
	return 0;
}

/* Leaves out the mails before since_ms. They are the last ones, so no page follows. */
static void leave_out_old(struct reading *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_rows; i++) {
		if (r->rows[i].mail.received_ms >= r->since_ms) {
			r->rows[n++] = r->rows[i];
			continue;
		}
		json_decref(r->rows[i].head);
		r->page_next = 0;
	}
	r->n_rows = n;
}

static void drop_row(void *row)
{
	json_decref(((struct row *)row)->head);
}

static int read_entries(struct reading *r, const struct resp *reply, struct err *e)
{
	static const struct resp_shape shape = {0, INBOX_LIST_MAIL_WORDS, sizeof(struct row),
						read_row, drop_row};
	struct resp_rows rows;

	if (resp_read_rows(resp_item(reply, INBOX_LIST_ROWS), &shape, NULL, &rows, e) < 0)
		return -1;
	r->rows = rows.list;
	r->n_rows = rows.n;
	r->dropped = resp_number_at(reply, INBOX_LIST_DROPPED);
	if (r->n_rows && resp_number_at(reply, INBOX_LIST_HAS_MORE))
		r->page_next = r->rows[r->n_rows - 1].sequence;
	leave_out_old(r);
	r->contents = calloc(r->n_rows + 1, sizeof(*r->contents));
	if (!r->contents)
		return err_oom(e);
	plan_contents(r);
	return 0;
}

static void on_entries(const struct call_result *result, void *context)
{
	struct reading *r = context;
	struct err e;

	if (result->end != CALL_ANSWERED)
		end_reading(r, NULL, result->why);
	else if (read_entries(r, result->reply, &e) < 0)
		end_reading(r, NULL, &e);
	else if (r->n_contents == 0)
		give_page(r);
	else {
		add_waiting(r->all, r);
		start_waiting(r->all);
	}
}

struct unread {
	inbox_fn *fn;
	void *arg;
};

static void on_list_oom(const struct call_result *result, void *context)
{
	const struct unread *u = context;

	u->fn(NULL, result->why, u->arg);
}

void inbox_list(struct redis *redis, const struct inbox_query *q, inbox_fn *fn, void *arg)
{
	struct readings *all = redis_part(redis, &readings_kind);
	struct reading *r = all ? calloc(1, sizeof(*r)) : NULL;
	struct unread unread = {fn, arg};
	char name[INBOX_RECIPIENT_MAX];
	struct command c = {0};

	if (!r) {
		redis_call_oom(redis, CALLBACK_COPY(on_list_oom, unread));
		return;
	}
	*r = (struct reading){.all = all, .since_ms = q->since_ms, .fn = fn, .arg = arg};
	snprintf(r->project, sizeof(r->project), "%s", q->project);
	inbox_write_name(q->recipient, name);
	script_inbox_list(&c, INBOX_PARTITION,
			  &(struct script_inbox_list){.project = q->project,
						      .recipient = name,
						      .before = q->before,
						      .most = (int64_t)q->limit,
						      .most_bytes = PAGE_BYTES});
	redis_call_bulk(redis, &c, INBOX_LIMIT_MS, CALLBACK(on_entries, r));
}

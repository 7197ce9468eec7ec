/* Reads the lists of messages that the scripts keep. */
#include "server/store/messages/list.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/redis/link/command.h"
#include "server/store/messages/list_mark.h"
#include "server/redis/partitions.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000
#define HOUR_MS 3600000
#define DEADLINE_MAX_HOURS                                                                         \
	((int64_t)8 * 24) /* lists outlive the last deadline by the retention                      \
			   */

struct asked;

/* One partition's part of a page. */
struct part {
	struct asked *asked;
	unsigned partition;
	struct cursor_position from, next; /* next: after all items */
	struct list_item *items;
	size_t n, n_used;
};

struct asked {
	struct redis *redis;
	struct call_group calls;
	int64_t oldest; /* hour */
	list_fn *fn;
	void *arg;
	unsigned n_parts;
	struct part parts[];
};

static bool has_list(const char *state)
{
	return state && strcmp(state, "queued") != 0 && strcmp(state, "scheduled") != 0 &&
	       strcmp(state, "delivered") != 0;
}

/* Writes the part of the list's key after the hour, and the end of its entries. */
static void choose_marked(char kind, const char mark[LIST_MARK_LEN + 1], char which[96],
			  char end[5])
{
	snprintf(which, 96, ":%c:%.*s", kind, LIST_MARK_IN_NAME, mark);
	memcpy(end, mark + LIST_MARK_IN_NAME, 5);
}

/* Chooses the list of the query. -1: out of memory. */
static int choose_list(const struct list_query *q, char which[96], char end[5])
{
	char mark[LIST_MARK_LEN + 1];

	*which = 0;
	*end = 0;
	if (q->to) {
		if (list_mark_recipient(q->to, mark) < 0)
			return -1;
		choose_marked('r', mark, which, end);
	} else if (has_list(q->state)) {
		snprintf(which, 96, ":s:%s", q->state);
	} else if (q->tag) {
		if (list_mark(q->tag, strlen(q->tag), mark) < 0)
			return -1;
		choose_marked('t', mark, which, end);
	}
	return 0;
}

/* ---- the items of all partitions in order ---- */

static bool is_by_time(unsigned partitions)
{
	return partitions <= LIST_BY_TIME_MAX;
}

static const struct list_item *head_of(const struct part *p)
{
	return p->n_used < p->n ? &p->items[p->n_used] : NULL;
}

/* True if `left` comes before `right`, which has a higher partition. */
static bool is_first(const struct asked *a, const struct list_item *left,
		     const struct list_item *right)
{
	if (is_by_time(a->n_parts))
		return left->record.accepted_ms >= right->record.accepted_ms;
	return left->place.at >= right->place.at;
}

/* True if the part may have unread items before `best`. */
static bool may_have_more(const struct asked *a, const struct part *p, const struct part *best)
{
	int64_t hour = best ? head_of(best)->place.at : 0;

	if (head_of(p) || !p->next.at || p->next.at < hour)
		return false;
	return is_by_time(a->n_parts) || p->next.at > hour || p < best;
}

/* The part with the next item. NULL: there is none, or a part may have an earlier one that was not
 * read. */
static struct part *next_part(struct asked *a)
{
	struct part *best = NULL;

	for (unsigned i = 0; i < a->n_parts; i++) {
		struct part *p = &a->parts[i];

		if (head_of(p) && (!best || !is_first(a, head_of(best), head_of(p))))
			best = p;
	}
	for (unsigned i = 0; i < a->n_parts; i++)
		if (may_have_more(a, &a->parts[i], best))
			return NULL;
	return best;
}

/* Moves items of all parts into `items`, and fills the positions before and after them. */
static size_t merge(struct asked *a, struct list_item *items, struct cursor_position *begin,
		    struct cursor_position *next)
{
	struct part *p;
	size_t n = 0;

	for (; (p = next_part(a)); n++)
		items[n] = p->items[p->n_used++];
	for (unsigned i = 0; i < a->n_parts; i++) {
		p = &a->parts[i];
		begin[i] = p->n ? p->items[0].place : p->next;
		begin[i].index += p->n > 0; /* begin is before the first item */
		next[i] = p->n_used == p->n ? p->next
			  : p->n_used       ? p->items[p->n_used - 1].place
					    : begin[i];
	}
	return n;
}

static void give_page(struct asked *a)
{
	struct cursor_position *begin = calloc(a->n_parts, sizeof(*begin));
	struct cursor_position *next = calloc(a->n_parts, sizeof(*next));
	struct list_item *items;
	struct err oom;
	size_t n = 0;

	for (unsigned i = 0; i < a->n_parts; i++)
		n += a->parts[i].n;
	items = calloc(n + 1, sizeof(*items));
	if (items && begin && next) {
		n = merge(a, items, begin, next);
		a->fn(&(struct list_page){items, n, begin, next}, NULL, a->arg);
	} else {
		err_oom(&oom);
		a->fn(NULL, &oom, a->arg);
	}
	free(items);
	free(begin);
	free(next);
}

static void end_page(struct asked *a)
{
	if (a->calls.has_failed)
		a->fn(NULL, &a->calls.why, a->arg);
	else
		give_page(a);
	for (unsigned i = 0; i < a->n_parts; i++) {
		for (size_t k = 0; k < a->parts[i].n; k++)
			record_deinit(&a->parts[i].items[k].record);
		free(a->parts[i].items);
	}
	free(a);
}

/* ---- one partition's reply: hour and place to go on from, then rows ---- */

static int read_item(const struct resp *array, size_t at, void *out, void *context)
{
	const struct resp *id = resp_item(array, at + LIST_MESSAGE_ID),
			  *record = resp_item(array, at + LIST_MESSAGE_RECORD);
	const struct part *p = context;
	struct list_item *item = out;
	struct err e;

	if (resp_len(id) != ID_LEN || !resp_is_text(record))
		return RESP_ROW_SKIPPED; /* removed */
	if (record_parse(resp_text(record), resp_len(record), &item->record, &e) < 0)
		return err_is_oom(&e) ? RESP_ROW_OOM : RESP_ROW_SKIPPED; /* the keeper reports it */
	memcpy(item->id, resp_text(id), ID_LEN + 1);
	item->partition = p->partition;
	item->place =
		(struct cursor_position){resp_number_at(array, at + LIST_MESSAGE_HOUR),
					 resp_number_at(array, at + LIST_MESSAGE_PLACE) + 1, 0};
	return 0;
}

static void drop_item(void *row)
{
	record_deinit(&((struct list_item *)row)->record);
}

static void on_listed(const struct call_result *result, void *context)
{
	static const struct resp_shape shape = {LIST_HEAD_WORDS, LIST_MESSAGE_WORDS,
						sizeof(struct list_item), read_item, drop_item};
	struct part *p = context;
	struct asked *a = p->asked;
	int64_t hour = resp_number_at(result->reply, LIST_HEAD_HOUR);
	struct resp_rows rows = {0};
	struct err e;

	if (result->end == CALL_ANSWERED && resp_read_result(result, &shape, p, &rows, &e) < 0) {
		a->calls.has_failed = true;
		a->calls.why = e;
	}
	p->items = rows.list;
	p->n = rows.n;
	if (hour >= a->oldest)
		p->next = (struct cursor_position){
			hour, resp_number_at(result->reply, LIST_HEAD_PLACE) + 1, 0};
	if (call_group_end(&a->calls, result))
		end_page(a);
}

/* ---- asking ---- */

static int64_t hour_now(struct redis *redis)
{
	return (clock_real_ms() + redis_clock_offset_ms(redis, 0)) / HOUR_MS;
}

void list_begin(struct redis *redis, const struct list_query *q, struct cursor_position *positions,
		unsigned n)
{
	int64_t hour = (q->until_ms ? q->until_ms / HOUR_MS : hour_now(redis)) + 1;

	for (unsigned p = 0; p < n; p++)
		positions[p] = (struct cursor_position){hour, 0, 0};
}

/* The partition that is being read in this hour. All lower partitions are done with the hour; all
 * higher ones have not begun. */
static unsigned current_part(const struct cursor_position *positions, unsigned n)
{
	unsigned current = 0;

	for (unsigned p = 1; p < n; p++)
		if (positions[p].at > positions[current].at)
			current = p;
	return current;
}

/* By time, the cursor has all positions. By partition, {hour, partition, index} is enough. */
void list_cursor_write(const struct cursor_position *positions, unsigned n, struct buf *out)
{
	unsigned current = current_part(positions, n);
	struct cursor_position one = positions[current];

	one.part = current;
	if (is_by_time(n))
		cursor_write(positions, n, out);
	else
		cursor_write(&one, 1, out);
}

static int read_by_partition(const char *text, struct cursor_position *positions, unsigned n)
{
	struct cursor_position one;

	if (cursor_read(text, &one, 1) < 0 || one.part >= n || !one.at)
		return -1;
	for (unsigned p = 0; p < n; p++)
		positions[p] = (struct cursor_position){.at = p < one.part ? one.at - 1 : one.at};
	positions[one.part].index = one.index;
	return 0;
}

static unsigned count_positions(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '_';
	return n;
}

/* A text with several positions has one for each partition of the time when the listing began. */
unsigned list_cursor_read(const char *text, const struct partitions *all,
			  struct cursor_position *positions)
{
	unsigned n = count_positions(text);

	if (!is_by_time(all->n) && n == 1)
		return read_by_partition(text, positions, all->n) < 0 ? 0 : all->n;
	if (!is_by_time(n) || !partitions_was(all, n) || cursor_read(text, positions, n) < 0)
		return 0;
	return n;
}

void list_move_after(const struct list_item *item, struct cursor_position *positions, unsigned n)
{
	positions[item->partition] = item->place;
	for (unsigned p = 0; !is_by_time(n) && p < item->partition; p++)
		if (positions[p].at >= item->place.at)
			positions[p] = (struct cursor_position){.at = item->place.at - 1};
}

bool list_is_over(const struct cursor_position *positions, unsigned n)
{
	for (unsigned p = 0; p < n; p++)
		if (positions[p].at)
			return false;
	return true;
}

static void ask_part(struct part *p, const struct list_query *q, const char *which,
		     const char *mark, size_t max)
{
	struct cursor_position at = p->from;
	struct command c = {0};

	if (at.at > hour_now(p->asked->redis) + 1)
		at = (struct cursor_position){hour_now(p->asked->redis) + 1, 0, 0};
	script_list(&c, p->partition,
		    &(struct script_list){
			    .project = q->project,
			    .which = which,
			    .hour = at.at,
			    .place = at.index - 1,
			    .last_hour = p->asked->oldest,
			    .most = (int64_t)max,
			    .mark = mark,
		    });
	p->asked->calls.n_open++;
	redis_call(p->asked->redis, &c, 1, LIMIT_MS, CALLBACK(on_listed, p));
}

struct refused {
	list_fn *fn;
	void *arg;
};

static void on_refused(const struct call_result *result, void *context)
{
	const struct refused *r = context;

	r->fn(NULL, result->why, r->arg);
}

/* The oldest hour that can have lists. */
static int64_t oldest_hour(struct redis *redis, const struct list_query *q)
{
	int64_t life = redis_config(redis)->retention_s / 3600 + DEADLINE_MAX_HOURS;
	int64_t oldest = hour_now(redis) - life, since = q->since_ms / HOUR_MS;

	return since > oldest ? since : oldest;
}

/* How many items to request from the partition. */
static size_t share(const struct list_query *q, const struct cursor_position *positions,
		    unsigned partition, unsigned n)
{
	if (n == 1 || (!is_by_time(n) && partition == current_part(positions, n)))
		return q->max;
	return q->max * 2 / n + 4;
}

void list_read(struct redis *redis, const struct list_query *q,
	       const struct cursor_position *positions, unsigned n, list_fn *fn, void *arg)
{
	struct refused refused = {fn, arg};
	struct asked *a = calloc(1, sizeof(*a) + n * sizeof(a->parts[0]));
	char which[96], mark[5];

	if (!a || choose_list(q, which, mark) < 0) {
		free(a);
		redis_call_oom(redis, CALLBACK_COPY(on_refused, refused));
		return;
	}
	a->redis = redis;
	a->n_parts = n;
	a->fn = fn;
	a->arg = arg;
	a->oldest = oldest_hour(redis, q);
	for (unsigned p = 0; p < n; p++) {
		a->parts[p] = (struct part){.asked = a, .partition = p, .from = positions[p]};
		if (positions[p].at)
			ask_part(&a->parts[p], q, which, mark, share(q, positions, p, n));
	}
} /* NOLINT(clang-analyzer-unix.Malloc): on_listed frees it */

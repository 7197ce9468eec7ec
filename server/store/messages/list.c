/* Finds messages by the lists that accept and the other transitions file them in. */
#include "server/store/messages/list.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/redis/call.h"
#include "server/store/messages/recipient_mark.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000
#define HOUR_MS 3600000
#define DEADLINE_MAX_HOURS                                                                         \
	((int64_t)8 * 24) /* lists outlive the last deadline by the retention                      \
			   */

struct asked;

/* What a partition answered. */
struct part {
	struct asked *asked;
	unsigned partition;
	struct cursor_position from, next; /* next: behind all items */
	struct list_item *items;
	size_t n, n_used;
};

struct asked {
	struct redis *redis;
	struct part *parts;
	unsigned n_parts, open;
	int64_t oldest;
	bool has_failed;
	struct err why;
	list_fn *fn;
	void *arg;
};

static bool has_list(const char *state)
{
	return state && strcmp(state, "queued") != 0 && strcmp(state, "scheduled") != 0 &&
	       strcmp(state, "delivered") != 0;
}

/* What follows the hour in the name of the list, and what its entries end with. */
static void choose_list(const struct list_query *q, char which[96], char mark[5])
{
	char digits[RECIPIENT_MARK_LEN + 1];

	*which = 0;
	*mark = 0;
	if (q->to) {
		recipient_mark(q->to, digits);
		snprintf(which, 96, ":r:%.*s", RECIPIENT_LIST_LEN, digits);
		memcpy(mark, digits + RECIPIENT_LIST_LEN, 5);
	} else if (has_list(q->state)) {
		snprintf(which, 96, ":s:%s", q->state);
	} else if (q->tag) {
		snprintf(which, 96, ":t:%s", q->tag);
	}
}

/* ---- one partition's answer ---- */

static bool read_item(const struct part *p, redisReply *const *r, struct list_item *item)
{
	struct err e;

	if (r[0]->type != REDIS_REPLY_STRING || r[0]->len != ID_LEN ||
	    r[3]->type != REDIS_REPLY_STRING ||
	    record_parse(r[3]->str, r[3]->len, &item->record, &e) < 0)
		return false; /* swept, or damaged: the keeper tells */
	memcpy(item->id, r[0]->str, ID_LEN + 1);
	item->partition = p->partition;
	item->place = (struct cursor_position){r[1]->integer, r[2]->integer + 1, 0};
	return true;
}

static void take_answer(struct part *p, const redisReply *r)
{
	size_t most = (r->elements - 2) / 4;

	p->items = calloc(most + 1, sizeof(*p->items));
	if (!p->items)
		abort();
	for (size_t i = 0; i < most; i++)
		if (read_item(p, r->element + 2 + i * 4, &p->items[p->n]))
			p->n++;
	if (r->element[0]->integer >= p->asked->oldest)
		p->next = (struct cursor_position){r->element[0]->integer,
						   r->element[1]->integer + 1, 0};
}

/* ---- all partitions, newest first ---- */

/* The part with the newest item; NULL when a part that gave all it read may have a newer one. */
static struct part *newest(struct asked *a)
{
	struct part *best = NULL;
	int64_t hour;

	for (unsigned i = 0; i < a->n_parts; i++) {
		struct part *p = &a->parts[i];

		if (p->n_used < p->n &&
		    (!best || p->items[p->n_used].record.accepted_ms >
				      best->items[best->n_used].record.accepted_ms))
			best = p;
	}
	hour = best ? best->items[best->n_used].place.at : 0;
	for (unsigned i = 0; i < a->n_parts; i++) {
		const struct part *p = &a->parts[i];

		if (p->n_used == p->n && p->next.at && p->next.at >= hour)
			return NULL;
	}
	return best;
}

static void tell(struct asked *a)
{
	struct list_item *items;
	struct cursor_position *begin = calloc(a->n_parts, sizeof(*begin));
	struct cursor_position *next = calloc(a->n_parts, sizeof(*next));
	struct part *p;
	size_t n = 0;

	for (unsigned i = 0; i < a->n_parts; i++)
		n += a->parts[i].n;
	items = calloc(n + 1, sizeof(*items));
	if (!items || !begin || !next)
		abort();
	for (n = 0; (p = newest(a)); n++)
		items[n] = p->items[p->n_used++];
	for (unsigned i = 0; i < a->n_parts; i++) {
		p = &a->parts[i];
		begin[i] = p->n ? p->items[0].place : p->next;
		begin[i].index += p->n > 0; /* the item itself is to come */
		next[i] = p->n_used == p->n ? p->next
			  : p->n_used       ? p->items[p->n_used - 1].place
					    : begin[i];
	}
	a->fn(&(struct list_page){items, n, begin, next}, NULL, a->arg);
	free(items);
	free(begin);
	free(next);
}

static void end(struct asked *a)
{
	if (a->has_failed)
		a->fn(NULL, &a->why, a->arg);
	else
		tell(a);
	for (unsigned i = 0; i < a->n_parts; i++) {
		for (size_t k = 0; k < a->parts[i].n; k++)
			record_deinit(&a->parts[i].items[k].record);
		free(a->parts[i].items);
	}
	free(a->parts);
	free(a);
}

static void on_listed(enum call_end how, const redisReply *reply, const struct err *why, void *arg)
{
	struct part *p = arg;
	struct asked *a = p->asked;

	if (how != CALL_ANSWERED) {
		a->has_failed = true;
		a->why = *why;
	} else if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
		   (reply->elements - 2) % 4 != 0) {
		a->has_failed = true;
		err_set(&a->why, ERR_INTERNAL, "the store gave an odd answer");
	} else {
		take_answer(p, reply);
	}
	if (--a->open == 0)
		end(a);
}

/* ---- asking ---- */

static int64_t hour_now(struct redis *redis)
{
	return (clock_real_ms() + redis_clock_offset_ms(redis)) / HOUR_MS;
}

void list_begin(struct redis *redis, const struct list_query *q, struct cursor_position *positions)
{
	int64_t hour = (q->until_ms ? q->until_ms / HOUR_MS : hour_now(redis)) + 1;

	for (unsigned p = 0; p < redis_partitions(redis); p++)
		positions[p] = (struct cursor_position){hour, 0, 0};
}

bool list_is_over(const struct cursor_position *positions, unsigned n)
{
	for (unsigned p = 0; p < n; p++)
		if (positions[p].at)
			return false;
	return true;
}

static void ask(struct part *p, const struct list_query *q, size_t max)
{
	struct cursor_position at = p->from;
	struct command c = {0};
	char which[96], mark[5];

	if (at.at > hour_now(p->asked->redis) + 1)
		at = (struct cursor_position){hour_now(p->asked->redis) + 1, 0, 0};
	choose_list(q, which, mark);
	command_script(&c, SCRIPT_LIST, p->partition);
	command_str(&c, q->project);
	command_str(&c, which);
	command_num(&c, at.at);
	command_num(&c, at.index - 1);
	command_num(&c, p->asked->oldest);
	command_num(&c, (int64_t)max);
	command_str(&c, mark);
	p->asked->open++;
	redis_call_plain(p->asked->redis, &c, 1, LIMIT_MS, on_listed, p);
}

void list_read(struct redis *redis, const struct list_query *q,
	       const struct cursor_position *positions, list_fn *fn, void *arg)
{
	int64_t life = redis_config(redis)->retention_s / 3600 + DEADLINE_MAX_HOURS;
	struct asked *a = calloc(1, sizeof(*a));
	unsigned n = redis_partitions(redis);

	if (!a || !(a->parts = calloc(n, sizeof(*a->parts))))
		abort();
	a->redis = redis;
	a->n_parts = n;
	a->fn = fn;
	a->arg = arg;
	a->oldest = hour_now(redis) - life;
	if (q->since_ms / HOUR_MS > a->oldest)
		a->oldest = q->since_ms / HOUR_MS;
	for (unsigned p = 0; p < n; p++) {
		a->parts[p] = (struct part){.asked = a, .partition = p, .from = positions[p]};
		if (positions[p].at)
			ask(&a->parts[p], q, n == 1 ? q->max : q->max * 2 / n + 4);
	}
}

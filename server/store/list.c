/* Finds messages by the lists that accept and the other transitions file them in. */
#include "server/store/list.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/hex.h"
#include "server/store/call.h"
#include "server/store/store.h"

#define LIMIT_MS 5000
#define HOUR_MS 3600000
#define DEADLINE_MAX_HOURS                                                                         \
	((int64_t)8 * 24) /* lists outlive the last deadline by the retention                      \
			   */

struct asked {
	struct store *store;
	struct list_place at;
	int64_t oldest;
	list_fn *fn;
	void *arg;
};

/* 2 digits name the list of a recipient, 4 more mark its entries. */
static void digits_of(const char *email, char name[3], char mark[5])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char lower[512], hex[7];
	size_t len = strlen(email);

	if (len >= sizeof(lower))
		len = sizeof(lower) - 1; /* longer than any address: finds nothing */
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)(email[i] >= 'A' && email[i] <= 'Z' ? email[i] + 32 : email[i]);
	if (EVP_Digest(lower, len, digest, NULL, EVP_sha1(), NULL) != 1)
		abort();
	hex_encode(digest, 3, hex);
	memcpy(name, hex, 2);
	name[2] = 0;
	memcpy(mark, hex + 2, 5);
}

static bool has_list(const char *state)
{
	return state && strcmp(state, "queued") != 0 && strcmp(state, "scheduled") != 0 &&
	       strcmp(state, "delivered") != 0;
}

/* What follows the hour in the name of the list, and what its entries end with. */
static void choose_list(const struct list_query *q, char which[96], char mark[5])
{
	char name[3];

	*which = 0;
	*mark = 0;
	if (q->to) {
		digits_of(q->to, name, mark);
		snprintf(which, 96, ":r:%s", name);
	} else if (has_list(q->state)) {
		snprintf(which, 96, ":s:%s", q->state);
	} else if (q->tag) {
		snprintf(which, 96, ":t:%s", q->tag);
	}
}

/* Behind the last list of a partition comes the next partition's, then an hour earlier. */
static struct list_place follow(const struct asked *a, const redisReply *r)
{
	unsigned partitions = store_partitions(a->store);
	struct list_place next = a->at;

	next.index = r->element[1]->integer;
	if (partitions == 1 || r->element[0]->integer == a->at.hour) {
		next.hour = r->element[0]->integer;
	} else {
		next.index = -1;
		next.partition = (a->at.partition + 1) % partitions;
		if (next.partition == 0)
			next.hour--;
	}
	if (next.hour < a->oldest)
		next.hour = -1;
	return next;
}

static bool read_item(const struct asked *a, redisReply *const *r, struct list_item *item)
{
	struct err e;

	if (r[0]->type != REDIS_REPLY_STRING || r[0]->len != ID_LEN ||
	    r[3]->type != REDIS_REPLY_STRING ||
	    record_parse(r[3]->str, r[3]->len, &item->record, &e) < 0)
		return false; /* swept, or damaged: the keeper tells */
	memcpy(item->id, r[0]->str, ID_LEN + 1);
	item->place = (struct list_place){r[1]->integer, a->at.partition, r[2]->integer};
	return true;
}

static void tell(const struct asked *a, const redisReply *r)
{
	size_t n = 0, most = (r->elements - 2) / 4;
	struct list_item *items = calloc(most + 1, sizeof(*items));
	struct list_place next = follow(a, r);
	struct err why;

	if (!items) {
		err_oom(&why);
		a->fn(NULL, 0, NULL, &why, a->arg);
		return;
	}
	for (size_t i = 0; i < most; i++)
		if (read_item(a, r->element + 2 + i * 4, &items[n]))
			n++;
	a->fn(items, n, &next, NULL, a->arg);
	for (size_t i = 0; i < n; i++)
		record_deinit(&items[i].record);
	free(items);
}

static void on_listed(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct asked *a = arg;
	struct err odd;

	if (end != CALL_ANSWERED) {
		a->fn(NULL, 0, NULL, why, a->arg);
	} else if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
		   (reply->elements - 2) % 4 != 0) {
		err_set(&odd, ERR_INTERNAL, "the store gave an odd answer");
		a->fn(NULL, 0, NULL, &odd, a->arg);
	} else {
		tell(a, reply);
	}
	free(a);
}

void list_read(struct store *s, const struct list_query *q, list_fn *fn, void *arg)
{
	int64_t now = clock_real_ms() + store_clock_offset_ms(s);
	int64_t life = store_config(s)->retention_s / 3600 + DEADLINE_MAX_HOURS;
	struct asked *a = calloc(1, sizeof(*a));
	struct command c = {0};
	char which[96], mark[5];

	if (!a)
		abort();
	a->store = s;
	a->fn = fn;
	a->arg = arg;
	a->at = q->from;
	if (a->at.hour == 0)
		a->at = (struct list_place){(q->until_ms ? q->until_ms : now) / HOUR_MS + 1, 0, -1};
	a->oldest = now / HOUR_MS - life;
	if (q->since_ms / HOUR_MS > a->oldest)
		a->oldest = q->since_ms / HOUR_MS;
	a->at.partition %= store_partitions(s);
	choose_list(q, which, mark);
	command_script(&c, SCRIPT_LIST, a->at.partition);
	command_str(&c, q->project);
	command_str(&c, which);
	command_num(&c, a->at.hour);
	command_num(&c, a->at.index);
	command_num(&c, store_partitions(s) == 1 ? a->oldest : a->at.hour);
	command_num(&c, (int64_t)q->max);
	command_str(&c, mark);
	store_call(s, &c, 1, LIMIT_MS, on_listed, a);
}

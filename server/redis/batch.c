/* Requests of one kind, grouped into one script call. */
#include "server/redis/batch.h"

#include <stdlib.h>

static void send(void *arg);

int batch_init(struct batch *b, struct redis *redis, const struct batch_kind *kind,
	       unsigned partition, void *arg)
{
	*b = (struct batch){.redis = redis, .kind = kind, .partition = partition, .arg = arg};
	b->last = &b->first;
	return loop_post_init(&b->post, redis_loop(redis), send, b);
}

static void on_answer(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct batch *b = arg;
	struct batch_item *item = b->sent, *next;
	size_t n = b->n_sent;

	(void)why;
	b->sent = NULL;
	b->n_sent = 0;
	for (size_t i = 0; i < n; i++) {
		next = item->next;
		b->kind->answer(item, end == CALL_ANSWERED ? reply : NULL, i, b->arg);
		item = next;
	}
	if (b->first)
		loop_post(&b->post);
}

static void send(void *arg)
{
	struct batch *b = arg;
	struct command c = {0};
	struct batch_item **cut = &b->first;

	if (b->sent || !b->first)
		return;
	command_script(&c, b->kind->script, b->partition);
	b->kind->head(&c, b->arg);
	while (*cut && b->n_sent < b->kind->max) {
		command_append(&c, &(*cut)->args);
		command_deinit(&(*cut)->args);
		cut = &(*cut)->next;
		b->n_sent++;
	}
	b->n_waiting -= b->n_sent;
	b->sent = b->first;
	b->first = *cut;
	*cut = NULL;
	if (!b->first)
		b->last = &b->first;
	redis_call(b->redis, &c, b->kind->conn, 0, on_answer, b);
}

void batch_add(struct batch *b, struct batch_item *item)
{
	item->next = NULL;
	*b->last = item;
	b->last = &item->next;
	b->n_waiting++;
	if (!b->sent)
		loop_post(&b->post);
}

size_t batch_unanswered(const struct batch *b)
{
	return b->n_waiting + b->n_sent;
}

void batch_abandon(struct batch *b)
{
	struct batch_item *item = b->first, *next;

	b->first = NULL;
	b->last = &b->first;
	b->n_waiting = 0;
	for (size_t i = 0; item; i++) {
		next = item->next;
		command_deinit(&item->args);
		b->kind->answer(item, NULL, i, b->arg);
		item = next;
	}
}

static void free_list(struct batch_item *item)
{
	while (item) {
		struct batch_item *next = item->next;

		command_deinit(&item->args);
		free(item);
		item = next;
	}
}

void batch_deinit(struct batch *b)
{
	free_list(b->first);
	free_list(b->sent);
	loop_post_deinit(&b->post);
}

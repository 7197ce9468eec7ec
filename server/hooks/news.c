/* Finds the projects whose log has entries that no target has read. */
#include "server/hooks/news.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/redis/redis.h"

#define POSITIONS_MAX 4096
#define PARTITIONS_A_TURN 16

struct look {
	struct news *news;
	unsigned partition;
};

static void on_news(const char *project, void *arg)
{
	struct look *l = arg;

	if (project) {
		for (struct target *t = *l->news->targets; t; t = t->next)
			if (strcmp(t->endpoint.project, project) == 0 && l->partition < t->n_feeds)
				target_hear_news(t, l->partition);
		return;
	}
	l->news->n_open--;
	free(l);
}

static int compare_positions(const void *a, const void *b)
{
	const struct deliveries_read_position *x = a, *y = b;
	int order = strcmp(x->project, y->project);

	return order ? order : event_log_place_compare(&x->at, &y->at);
}

/* Keeps the lowest position of each project. Returns how many are left. */
static size_t merge_positions(struct deliveries_read_position *list, size_t n)
{
	size_t kept = 0;

	qsort(list, n, sizeof(*list), compare_positions);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(list[kept - 1].project, list[i].project) != 0)
			list[kept++] = list[i];
	return kept;
}

/* Of the targets that wait for news. */
static size_t list_positions(struct deliveries_read_position *list, const struct target *first,
			     unsigned partition)
{
	size_t n = 0;

	for (const struct target *t = first; t; t = t->next) {
		if (t->is_gone || partition >= t->n_feeds || t->feeds[partition]->has_news)
			continue;
		if (n == POSITIONS_MAX && (n = merge_positions(list, n)) == POSITIONS_MAX)
			break;
		snprintf(list[n].project, sizeof(list[n].project), "%s", t->endpoint.project);
		list[n++].at = t->feeds[partition]->read_position;
	}
	return merge_positions(list, n);
}

static void look_at(struct news *news, unsigned partition)
{
	static struct deliveries_read_position list[POSITIONS_MAX];
	size_t n = list_positions(list, *news->targets, partition);
	struct look *l;

	if (n == 0 || !(l = calloc(1, sizeof(*l))))
		return;
	*l = (struct look){news, partition};
	news->n_open++;
	deliveries_look(news->shared->redis, partition, list, n, on_news, l);
}

void news_look(struct news *news)
{
	unsigned partitions = redis_partitions(news->shared->redis);

	if (news->n_open)
		return;
	for (struct target *t = *news->targets; t; t = t->next)
		(void)target_read_new_partitions(t); /* out of memory: the next look tries again */
	for (unsigned i = 0; i < partitions && i < PARTITIONS_A_TURN; i++)
		look_at(news, news->next_partition++ % partitions);
}

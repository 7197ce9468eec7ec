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
			if (strcmp(t->endpoint.project, project) == 0)
				target_hear_news(t, l->partition);
		return;
	}
	l->news->n_open--;
	free(l);
}

/* For each project: the lowest read position of its targets that wait for news. */
static void add_read_position(struct deliveries_read_position *list, size_t *n,
			      const struct target *t, unsigned partition)
{
	const struct feed *f = &t->feeds[partition];

	for (size_t i = 0; i < *n; i++) {
		if (strcmp(list[i].project, t->endpoint.project) != 0)
			continue;
		if (event_log_place_compare(&f->read_position, &list[i].at) < 0 && !f->has_news)
			list[i].at = f->read_position;
		return;
	}
	if (f->has_news || *n == POSITIONS_MAX)
		return;
	snprintf(list[*n].project, sizeof(list[*n].project), "%s", t->endpoint.project);
	list[(*n)++].at = f->read_position;
}

static void look_at(struct news *news, unsigned partition)
{
	static struct deliveries_read_position list[POSITIONS_MAX];
	struct look *l;
	size_t n = 0;

	for (const struct target *t = *news->targets; t; t = t->next)
		if (!t->is_gone)
			add_read_position(list, &n, t, partition);
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
	for (unsigned i = 0; i < partitions && i < PARTITIONS_A_TURN; i++)
		look_at(news, news->next_partition++ % partitions);
}

/* The numbers of partitions that the store had, has, and will have. */
#include "server/redis/partitions.h"

#include <stdlib.h>

#include "server/base/id.h"

static int damaged(struct err *e)
{
	return err_set(e, ERR_REFUSED, "meta: the number of partitions is damaged");
}

/* Reads "n from_ms" and moves *text after it. */
static int read_step(const char **text, struct partitions_step *step)
{
	char *end, *end_of_time;
	unsigned long n = strtoul(*text, &end, 10);
	long long from_ms;

	if (end == *text || *end != ' ' || n == 0 || n > ID_PARTITIONS)
		return -1;
	from_ms = strtoll(end, &end_of_time, 10);
	if (end_of_time == end || (*end_of_time && *end_of_time != ' ') || from_ms < 0)
		return -1;
	*step = (struct partitions_step){(unsigned)n, from_ms};
	*text = end_of_time;
	return 0;
}

static int read_steps(struct partitions *p, const char *growth)
{
	while (*growth) {
		struct partitions_step *step = &p->steps[p->n_steps];

		if (p->n_steps == PARTITIONS_STEPS_MAX || read_step(&growth, step) < 0)
			return -1;
		if (p->n_steps && (step->n <= step[-1].n || step->from_ms <= step[-1].from_ms))
			return -1;
		if (!p->n_steps && step->from_ms)
			return -1;
		p->n_steps++;
		growth += *growth == ' ';
	}
	return 0;
}

int partitions_read(struct partitions *p, const char *n, const char *growth, int64_t now_ms,
		    struct err *e)
{
	struct partitions read = {.n = (unsigned)strtoul(n, NULL, 10), .read_ms = now_ms};

	if (read.n == 0 || read.n > ID_PARTITIONS || read_steps(&read, growth) < 0)
		return damaged(e);
	if (!read.n_steps)
		read.steps[read.n_steps++] = (struct partitions_step){read.n, 0};
	if (read.steps[read.n_steps - 1].n > read.n)
		return damaged(e);
	if (read.n < p->n || read.n_steps < p->n_steps)
		return err_set(e, ERR_REFUSED,
			       "meta: there are fewer partitions than before: Redis has an older "
			       "copy of the store. Restart Postern");
	*p = read;
	return 0;
}

const struct partitions_step *partitions_step_at(const struct partitions *p, int64_t now_ms)
{
	unsigned i = p->n_steps - 1;

	while (i > 0 && p->steps[i].from_ms > now_ms)
		i--;
	return &p->steps[i];
}

int64_t partitions_next_ms(const struct partitions *p, int64_t now_ms)
{
	const struct partitions_step *next = partitions_step_at(p, now_ms) + 1;

	return next < p->steps + p->n_steps ? next->from_ms : INT64_MAX;
}

bool partitions_was(const struct partitions *p, unsigned n)
{
	for (unsigned i = 0; i < p->n_steps; i++)
		if (p->steps[i].n == n)
			return true;
	return p->n == n;
}

unsigned partitions_share(const struct partitions *p, unsigned partition, int64_t now_ms,
			  int64_t since_ms)
{
	const struct partitions_step *now = partitions_step_at(p, now_ms), *step = now;

	/* Back to the earliest step that used the partition and ended less than since_ms ago. */
	while (step > p->steps && step->from_ms > now_ms - since_ms && step[-1].n > partition)
		step--;
	return step->n;
}

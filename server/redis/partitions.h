#ifndef SERVER_REDIS_PARTITIONS_H
#define SERVER_REDIS_PARTITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"

/* The partitions of the store, as the `meta` key has them. Their number grows in two steps, because
 * each process learns of it at another moment. First the number of partitions is raised: all
 * processes read the new ones. Later a step is added: from its time on, new messages use more
 * partitions. The time is PARTITIONS_AHEAD_MS ahead, so all processes know it before. */

#define PARTITIONS_STEPS_MAX 32
#define PARTITIONS_AHEAD_MS 15000
/* A process that is connected, and has not read `meta` for so long, accepts no mail: it may have
 * missed a step. */
#define PARTITIONS_KNOWN_MS 10000

/* The number of partitions that new messages use, from a time on. */
struct partitions_step {
	unsigned n;
	int64_t from_ms; /* Redis time; the first: 0 */
};

struct partitions {
	unsigned n;                                         /* all that exist */
	struct partitions_step steps[PARTITIONS_STEPS_MAX]; /* rising numbers and times */
	unsigned n_steps;                                   /* at least 1 */
	int64_t read_ms;                                    /* Redis time of the last reading */
};

/* Reads the fields `partitions` and `growth` of `meta`: "8", and "1 0 8 1764561600000", which is n
 * and from_ms of each step. growth "": the number never changed. p: as read before, or zeroed.
 * ERR_REFUSED: damaged, or fewer than before: messages of this process name the others. */
int partitions_read(struct partitions *p, const char *n, const char *growth, int64_t now_ms,
		    struct err *e);
/* The step that counts at this time. */
const struct partitions_step *partitions_step_at(const struct partitions *p, int64_t now_ms);
/* When the next step begins; INT64_MAX: none is known. */
int64_t partitions_next_ms(const struct partitions *p, int64_t now_ms);
/* True if some step has this number. */
bool partitions_was(const struct partitions *p, unsigned n);
/* Each partition has the n-th part of a limit. Returns n for this partition: the number that new
 * messages use. For since_ms after a step, the older partitions keep the larger part that they had,
 * because they still hold what was stored before it. */
unsigned partitions_share(const struct partitions *p, unsigned partition, int64_t now_ms,
			  int64_t since_ms);

#endif

#ifndef SMTP_LIMITS_LOAD_H
#define SMTP_LIMITS_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/loop.h"

/* Finds out whether a relay process cannot keep up because this machine or Redis is too busy; the
 * metrics postern_relays_behind say so, and accepts are slowed (server/store/queue/accept_pace.h).
 * A lane is behind if at least half of the jobs that were taken from it had waited for
 * LOAD_LATE_MS, and one of these holds:
 *
 * - The process used the processor, or waited for it, for most of the time.
 * - A large part of the transactions waited for Redis.
 *
 * So slow mail servers do not count. */

#define LOAD_LATE_MS 1000

enum load_kind { LOAD_NORMAL, LOAD_BULK, LOAD_KINDS }; /* lanes; accepts of otp are never slowed */

/* Transactions under way now, and those of them that wait for Redis. */
struct load_count {
	unsigned n, n_waiting;
};
typedef struct load_count load_count_fn(void *arg);

struct load {
	struct loop_timer timer;
	load_count_fn *count;
	void *arg;
	int64_t looked_us, wanted_us; /* at the last look */
	/* since then: */
	unsigned n_jobs[LOAD_KINDS], n_late[LOAD_KINDS];
	struct load_count transactions; /* sums of all counts */
};

/* -1: out of memory. */
int load_start(struct load *l, struct loop *loop, load_count_fn *count, void *arg);
void load_stop(struct load *l);
/* A job was taken that no relay has tried before. waited_ms: since its message was accepted. */
void load_saw_job(struct load *l, enum load_kind kind, int64_t waited_ms);
/* One look, for tests: wanted_us is how long the process has used the processor and waited for it,
 * since its start. Sets is_behind for each lane. */
void load_look(struct load *l, int64_t now_us, int64_t wanted_us, bool is_behind[LOAD_KINDS]);

#endif

/* Finds out whether a relay process lacks processor time. */
#include "smtp/limits/load.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/metrics.h"

#define COUNT_MS 50
#define LOOK_US 250000
#define HOLD_MS 2000 /* without a further look, the relay hangs, and does not count as behind */
#define BUSY_PERCENT 80
#define WAITING_PERCENT 33

void load_saw_job(struct load *l, enum load_kind kind, int64_t waited_ms)
{
	l->n_jobs[kind]++;
	l->n_late[kind] += waited_ms >= LOAD_LATE_MS;
}

static bool is_part(int64_t part, int64_t whole, int percent)
{
	return whole > 0 && part * 100 >= whole * percent;
}

void load_look(struct load *l, int64_t now_us, int64_t wanted_us, bool is_behind[LOAD_KINDS])
{
	int64_t passed_us = l->looked_us ? now_us - l->looked_us : 0;
	bool is_busy = is_part(wanted_us - l->wanted_us, passed_us, BUSY_PERCENT) ||
		       is_part(l->transactions.n_waiting, l->transactions.n, WAITING_PERCENT);

	for (int kind = 0; kind < LOAD_KINDS; kind++)
		is_behind[kind] = is_busy && is_part(l->n_late[kind], l->n_jobs[kind], 50);
	l->looked_us = now_us;
	l->wanted_us = wanted_us;
	l->transactions = (struct load_count){0};
	memset(l->n_jobs, 0, sizeof(l->n_jobs));
	memset(l->n_late, 0, sizeof(l->n_late));
}

/* Without /proc/self/schedstat the time that it waited is not known. */
static int64_t read_wanted_us(void)
{
	int fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	unsigned long long used_ns, waited_ns;
	struct timespec used = {0};
	char text[80];
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	if (sscanf(text, "%llu %llu", &used_ns, &waited_ns) == 2)
		return (int64_t)((used_ns + waited_ns) / 1000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void on_tick(void *arg)
{
	struct load *l = arg;
	struct load_count now = l->count(l->arg);
	int64_t now_us = clock_mono_us();
	bool is_behind[LOAD_KINDS];

	/* Without transactions there is nothing to count between two looks. */
	loop_timer_set(&l->timer, now.n ? COUNT_MS : LOOK_US / 1000);
	l->transactions.n += now.n;
	l->transactions.n_waiting += now.n_waiting;
	if (now_us - l->looked_us < LOOK_US)
		return;
	load_look(l, now_us, read_wanted_us(), is_behind);
	metric_hold(METRIC_BEHIND_NORMAL, is_behind[LOAD_NORMAL] ? HOLD_MS : 0);
	metric_hold(METRIC_BEHIND_BULK, is_behind[LOAD_BULK] ? HOLD_MS : 0);
}

int load_start(struct load *l, struct loop *loop, load_count_fn *count, void *arg)
{
	*l = (struct load){.count = count, .arg = arg};
	if (loop_timer_init(&l->timer, loop, on_tick, l) < 0)
		return -1;
	loop_timer_set(&l->timer, COUNT_MS);
	return 0;
}

void load_stop(struct load *l)
{
	loop_timer_deinit(&l->timer);
	metric_hold(METRIC_BEHIND_NORMAL, 0);
	metric_hold(METRIC_BEHIND_BULK, 0);
}

/* Slows accepts while the relays of this machine cannot keep up. */
#include "server/store/queue/accept_pace.h"

#include "server/base/clock.h"
#include "server/base/metrics.h"

#define LOOK_MS 250   /* between two looks at the metrics */
#define STALE_MS 2000 /* after a longer time the rate is not known */
#define TICK_MS 20
#define AHEAD_NUM 5 /* accepted recipients for AHEAD_DEN finished ones */
#define AHEAD_DEN 4

static int64_t count_finished(void)
{
	return metric_sum(METRIC_DELIVERED) + metric_sum(METRIC_BOUNCED) +
	       metric_sum(METRIC_DEFERRED) + metric_sum(METRIC_FAILED);
}

static void look(struct accept_pace *p, int64_t now_ms)
{
	int64_t passed_ms = now_ms - p->looked_ms, finished, processes;

	if (passed_ms < LOOK_MS)
		return;
	finished = count_finished();
	processes = metric_sum(METRIC_API_PROCESSES);
	p->is_behind[LANE_NORMAL] =
		passed_ms <= STALE_MS && metric_holders(METRIC_BEHIND_NORMAL) > 0;
	p->is_behind[LANE_BULK] = p->is_behind[LANE_NORMAL] ||
				  (passed_ms <= STALE_MS && metric_holders(METRIC_BEHIND_BULK) > 0);
	p->rate = (finished - p->finished) * 1000 / passed_ms * AHEAD_NUM / AHEAD_DEN /
		  (processes > 0 ? processes : 1);
	p->looked_ms = now_ms;
	p->finished = finished;
}

/* Unused credit lasts for LOOK_MS. */
static void fill(struct accept_pace *p, int64_t now_ms)
{
	int64_t most = p->rate * LOOK_MS;

	p->credit += p->rate * (now_ms - p->filled_ms);
	if (p->credit > most)
		p->credit = most;
	p->filled_ms = now_ms;
}

static bool may_go(struct accept_pace *p, const struct paced *message)
{
	if (!p->is_behind[message->lane])
		return true;
	if (p->credit <= 0)
		return false;
	p->credit -= message->weight * 1000;
	return true;
}

static struct paced *first_waiting(const struct accept_pace *p)
{
	return (struct paced *)turns_first(&p->waiting);
}

static void on_tick(void *arg)
{
	struct accept_pace *p = arg;
	int64_t now_ms = clock_mono_ms();

	look(p, now_ms);
	fill(p, now_ms);
	/* Until the first message of each tenant, one after the other, must wait. */
	for (size_t n_passed = 0; n_passed < p->waiting.n_lines;) {
		struct paced *message = first_waiting(p);

		if (now_ms >= message->until_ms || may_go(p, message)) {
			turns_take(&p->waiting);
			p->go(message);
			n_passed = 0;
		} else {
			turns_pass(&p->waiting);
			n_passed++;
		}
	}
	if (first_waiting(p))
		loop_timer_set(&p->timer, TICK_MS);
}

int accept_pace_init(struct accept_pace *p, struct loop *loop, accept_pace_fn *go)
{
	*p = (struct accept_pace){.go = go};
	return loop_timer_init(&p->timer, loop, on_tick, p);
}

bool accept_pace_holds(struct accept_pace *p, struct paced *message, int64_t wait_ms)
{
	int64_t now_ms = clock_mono_ms();

	if (message->lane == LANE_OTP || wait_ms == 0)
		return false;
	look(p, now_ms);
	fill(p, now_ms);
	if (!p->is_behind[message->lane] || (!first_waiting(p) && may_go(p, message)))
		return false;
	if (!first_waiting(p))
		loop_timer_set(&p->timer, TICK_MS);
	if (turns_add(&p->waiting, &message->turn, message->tenant) < 0)
		return false;
	message->until_ms = now_ms + wait_ms;
	metric_add(METRIC_ACCEPTS_DELAYED, 1);
	return true;
}

void accept_pace_end(struct accept_pace *p)
{
	while (first_waiting(p))
		p->go((struct paced *)turns_take(&p->waiting));
}

void accept_pace_deinit(struct accept_pace *p)
{
	loop_timer_deinit(&p->timer);
}

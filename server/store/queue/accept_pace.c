/* Slows accepts while the relays of this machine cannot keep up. */
#include "server/store/queue/accept_pace.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/metrics.h"

#define LOOK_MS 250   /* between two looks at the metrics */
#define STALE_MS 2000 /* after a longer time the rate is not known */
#define TICK_MS 20
#define AHEAD_NUM 5 /* accepted recipients for AHEAD_DEN finished ones */
#define AHEAD_DEN 4

/* The messages of a tenant that wait. It has at least one. */
struct pace_line {
	struct pace_line *next;
	struct paced *first, **last;
};

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
	p->is_behind[LANE_NORMAL] = passed_ms <= STALE_MS && metric_sum(METRIC_BEHIND_NORMAL) > 0;
	p->is_behind[LANE_BULK] = p->is_behind[LANE_NORMAL] ||
				  (passed_ms <= STALE_MS && metric_sum(METRIC_BEHIND_BULK) > 0);
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

/* ---- the lines ---- */

static void append_line(struct accept_pace *p, struct pace_line *line)
{
	line->next = NULL;
	*p->end = line;
	p->end = &line->next;
	p->n_lines++;
}

static struct pace_line *take_first_line(struct accept_pace *p)
{
	struct pace_line *line = p->lines;

	p->lines = line->next;
	if (!p->lines)
		p->end = &p->lines;
	p->n_lines--;
	return line;
}

/* NULL: out of memory. */
static struct pace_line *line_of(struct accept_pace *p, const char *tenant)
{
	struct pace_line *line = p->lines;

	while (line && strcmp(line->first->tenant, tenant) != 0)
		line = line->next;
	if (line)
		return line;
	line = calloc(1, sizeof(*line));
	if (line) {
		line->last = &line->first;
		append_line(p, line);
	}
	return line;
}

/* The first line goes to the end, without its first message if that goes. */
static void take_turn(struct accept_pace *p, bool goes)
{
	struct pace_line *line = take_first_line(p);
	struct paced *message = line->first;

	if (goes)
		line->first = message->next;
	if (line->first)
		append_line(p, line);
	else
		free(line);
	if (goes)
		p->go(message);
}

static void on_tick(void *arg)
{
	struct accept_pace *p = arg;
	int64_t now_ms = clock_mono_ms();

	look(p, now_ms);
	fill(p, now_ms);
	/* Until each line in turn has a first message that must wait. */
	for (size_t n_waiting = 0; p->lines && n_waiting < p->n_lines;) {
		const struct paced *message = p->lines->first;
		bool goes = now_ms >= message->until_ms || may_go(p, message);

		n_waiting = goes ? 0 : n_waiting + 1;
		take_turn(p, goes);
	}
	if (p->lines)
		loop_timer_set(&p->timer, TICK_MS);
}

int accept_pace_init(struct accept_pace *p, struct loop *loop, accept_pace_fn *go)
{
	*p = (struct accept_pace){.go = go};
	p->end = &p->lines;
	return loop_timer_init(&p->timer, loop, on_tick, p);
}

bool accept_pace_holds(struct accept_pace *p, struct paced *message, int64_t wait_ms)
{
	int64_t now_ms = clock_mono_ms();
	struct pace_line *line;

	if (message->lane == LANE_OTP || wait_ms == 0)
		return false;
	look(p, now_ms);
	fill(p, now_ms);
	if (!p->is_behind[message->lane] || (!p->lines && may_go(p, message)))
		return false;
	if (!p->lines)
		loop_timer_set(&p->timer, TICK_MS);
	line = line_of(p, message->tenant);
	if (!line)
		return false;
	message->next = NULL;
	message->until_ms = now_ms + wait_ms;
	*line->last = message;
	line->last = &message->next;
	metric_add(METRIC_ACCEPTS_DELAYED, 1);
	return true;
}

void accept_pace_end(struct accept_pace *p)
{
	while (p->lines)
		take_turn(p, true);
}

void accept_pace_deinit(struct accept_pace *p)
{
	loop_timer_deinit(&p->timer);
}

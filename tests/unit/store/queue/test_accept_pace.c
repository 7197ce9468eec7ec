/* Which messages wait while relays are behind, and for how long. */
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/store/queue/accept_pace.h"
#include "tests/unit/unit.h"

#define MANY 400

static struct loop *loop;
static struct accept_pace pace;
static struct paced messages[MANY];
static int n_gone;
static const struct paced *gone[MANY];

static void go(struct paced *message)
{
	gone[n_gone++] = message;
}

static void assert_in_order(void)
{
	for (int i = 0; i < n_gone; i++)
		assert_ptr_equal(gone[i], &messages[i]);
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new();
	assert_non_null(loop);
	assert_int_equal(metrics_init(), 0);
	assert_int_equal(accept_pace_init(&pace, loop, go), 0);
	memset(messages, 0, sizeof(messages));
	n_gone = 0;
	metric_set(METRIC_API_PROCESSES, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	accept_pace_end(&pace);
	accept_pace_deinit(&pace);
	loop_free(loop);
	return 0;
}

static bool holds(int i, enum lane lane, int64_t wait_ms)
{
	messages[i].lane = lane;
	messages[i].weight = 1;
	return accept_pace_holds(&pace, &messages[i], wait_ms);
}

static void run_ms(int64_t ms)
{
	for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end;) {
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* The relays are behind from now on, and nothing was finished since the last look. */
static void fall_behind(enum metric lane)
{
	holds(0, LANE_NORMAL, 0);
	accept_pace_holds(&pace, &(struct paced){.lane = LANE_BULK}, 1); /* the first look */
	run_ms(300);
	metric_hold(lane, 60000);
}

static void nothing_waits_while_the_relays_keep_up(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		assert_false(holds(i, i % 2 ? LANE_NORMAL : LANE_BULK, 2000));
	run_ms(300);
	for (int i = 0; i < 50; i++)
		assert_false(holds(i, i % 2 ? LANE_NORMAL : LANE_BULK, 2000));
}

static void the_lanes_that_are_behind_and_lower_ones_wait(void **state)
{
	static const struct {
		enum metric behind;
		bool waits[LANES];
	} rows[] = {{METRIC_BEHIND_NORMAL, {false, true, true}},
		    {METRIC_BEHIND_BULK, {false, false, true}}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fall_behind(rows[i].behind);
		for (int lane = 0; lane < LANES; lane++) {
			n_gone = 0;
			if (holds(0, (enum lane)lane, 2000) != rows[i].waits[lane])
				fail_msg("row %zu, lane %d", i, lane);
			assert_false(holds(1, (enum lane)lane, 0)); /* set to never */
			accept_pace_end(&pace);
		}
		metric_hold(rows[i].behind, 0);
		tear_down(state);
		set_up(state);
	}
}

static void a_message_waits_for_its_time_at_most(void **state)
{
	int64_t start = clock_mono_ms();

	(void)state;
	fall_behind(METRIC_BEHIND_NORMAL);
	start = clock_mono_ms();
	assert_true(holds(0, LANE_NORMAL, 100));
	while (n_gone == 0 && clock_mono_ms() - start < 10000)
		run_ms(5);
	assert_int_equal(n_gone, 1);
	assert_true(clock_mono_ms() - start >= 100);
}

/* Its relay hangs: it has said that it is behind, and says nothing more. */
static void a_relay_that_hangs_slows_nothing_for_long(void **state)
{
	(void)state;
	fall_behind(METRIC_BEHIND_NORMAL);
	metric_hold(METRIC_BEHIND_NORMAL, 1);
	run_ms(5);
	assert_int_equal(metric_holders(METRIC_BEHIND_NORMAL), 0);
	assert_false(holds(0, LANE_NORMAL, 60000));
}

static void messages_that_follow_do_not_make_one_wait_longer(void **state)
{
	int n = 0;

	(void)state;
	fall_behind(METRIC_BEHIND_NORMAL);
	while (n < MANY && n_gone == 0) {
		assert_true(holds(n++, LANE_NORMAL, 50));
		run_ms(2);
	}
	assert_int_not_equal(n_gone, 0);
}

static void five_go_for_four_that_are_finished(void **state)
{
	int64_t start;

	(void)state;
	fall_behind(METRIC_BEHIND_NORMAL);
	start = clock_mono_ms();
	for (int i = 0; i < MANY; i++)
		assert_true(holds(i, LANE_NORMAL, 60000));
	for (int finished = 0; finished < 160;) {
		run_ms(10);
		for (; finished < (clock_mono_ms() - start) / 10 && finished < 160; finished++)
			metric_add(METRIC_DELIVERED, 1);
	}
	/* 160 were finished. What was finished after the last look does not count yet, and a credit
	 * of a look may be used at once. */
	assert_in_range(n_gone, 80, 320);
	assert_in_order();
}

static void tenants_whose_messages_wait_take_turns(void **state)
{
	static const char *const tenants[] = {"1", "2", "1t"};
	static const int order[] = {0, 100, 101, 1, 102, 103, 2, 104, 3, 4};

	(void)state;
	for (int i = 0; i < MANY; i++)
		strcpy(messages[i].tenant, tenants[0]);
	for (int i = 100; i < 105; i++)
		strcpy(messages[i].tenant, tenants[i % 2 ? 2 : 1]);
	fall_behind(METRIC_BEHIND_NORMAL);
	for (int i = 0; i < 105; i++)
		assert_true(holds(i, LANE_NORMAL, 60000));
	accept_pace_end(&pace);
	assert_int_equal(n_gone, 105);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (gone[i] != &messages[order[i]])
			fail_msg("place %zu has message %td", i, gone[i] - messages);
}

static void all_go_when_the_relays_have_caught_up(void **state)
{
	(void)state;
	fall_behind(METRIC_BEHIND_NORMAL);
	for (int i = 0; i < 10; i++)
		assert_true(holds(i, LANE_NORMAL, 60000));
	metric_hold(METRIC_BEHIND_NORMAL, 0);
	for (int i = 0; i < 1000 && n_gone < 10; i++)
		run_ms(10);
	assert_int_equal(n_gone, 10);
	assert_in_order();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

UNIT_TESTS(TEST(nothing_waits_while_the_relays_keep_up),
	   TEST(the_lanes_that_are_behind_and_lower_ones_wait),
	   TEST(a_message_waits_for_its_time_at_most),
	   TEST(a_relay_that_hangs_slows_nothing_for_long),
	   TEST(messages_that_follow_do_not_make_one_wait_longer),
	   TEST(five_go_for_four_that_are_finished), TEST(tenants_whose_messages_wait_take_turns),
	   TEST(all_go_when_the_relays_have_caught_up))

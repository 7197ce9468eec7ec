/* How the posts under way are shared out among projects. */

#include "server/hooks/share.h"
#include "tests/unit/unit.h"

#define MOST 3
static const char *const names[] = {"prj_a", "prj_b", "prj_c"};

/* Projects that want as many as they get take places in turn. */
static void projects_that_want_more_get_equal_shares_and_leave_room_for_another(void **state)
{
	static const size_t want[] = {0, SHARE_PLACES / 2, SHARE_PLACES / 3, SHARE_PLACES / 4};

	(void)state;
	for (size_t n = 1; n <= MOST; n++) {
		struct shares all = {0};
		struct share *s[MOST], *newcomer;
		bool goes_on = true;

		for (size_t i = 0; i < n; i++)
			s[i] = share_join(&all, names[i]);
		while (goes_on) {
			goes_on = false;
			for (size_t i = 0; i < n; i++) {
				if (!share_has_room(&all, s[i]))
					continue;
				share_begin_post(&all, s[i]);
				goes_on = true;
			}
		}
		for (size_t i = 0; i < n; i++)
			assert_in_range(s[i]->in_flight, want[n], want[n] + 1);
		newcomer = share_join(&all, "prj_new");
		assert_true(share_has_room(&all, newcomer));
		share_leave(&all, newcomer);
		for (size_t i = 0; i < n; i++)
			share_leave(&all, s[i]);
		assert_null(all.first);
	}
}

static void endpoints_of_a_project_have_one_share_and_get_a_place_back(void **state)
{
	struct shares all = {0};
	struct share *a = share_join(&all, names[0]), *b = share_join(&all, names[1]);

	(void)state;
	assert_ptr_equal(share_join(&all, names[0]), a);
	while (share_has_room(&all, a))
		share_begin_post(&all, a);
	assert_int_equal(a->in_flight, SHARE_PLACES / 2);
	share_end_post(&all, a);
	assert_true(share_has_room(&all, a));
	share_leave(&all, a);
	assert_int_equal(a->n_targets, 1);
	share_leave(&all, a);
	assert_ptr_equal(all.first, b);
	share_leave(&all, b);
}

UNIT_TESTS(cmocka_unit_test(projects_that_want_more_get_equal_shares_and_leave_room_for_another),
	   cmocka_unit_test(endpoints_of_a_project_have_one_share_and_get_a_place_back))

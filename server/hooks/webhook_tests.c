/* Test deliveries that the API requests. */
#include "server/hooks/webhook_tests.h"

#include <stdio.h>

#include "server/base/clock.h"

#define ASK_EVERY_MS 200
#define WAIT_MS 15000

static void on_tests(const char *const *members, size_t n, void *arg)
{
	struct webhook_tests *w = arg;
	struct webhook_test test;

	for (size_t i = 0; i < n; i++) {
		if (sscanf(members[i], "%31s %47s %31s", test.endpoint, test.event, test.project) !=
			    3 ||
		    w->fn(&test, w->arg) || w->n == WEBHOOK_TESTS_MAX)
			continue;
		w->waiting[w->n++] = test;
		w->wait_until = clock_mono_ms() + WAIT_MS;
	}
}

void webhook_tests_tick(struct webhook_tests *w, int64_t now_ms)
{
	if (now_ms < w->ask_at)
		return;
	w->ask_at = now_ms + ASK_EVERY_MS;
	deliveries_tests(w->shared->redis, on_tests, w);
}

void webhook_tests_start_waiting(struct webhook_tests *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		if (!w->fn(&w->waiting[i], w->arg) && clock_mono_ms() < w->wait_until)
			w->waiting[n++] = w->waiting[i];
	w->n = n;
}

void webhook_tests_init(struct webhook_tests *w, struct hooks_shared *shared, webhook_tests_fn *fn,
			void *arg)
{
	*w = (struct webhook_tests){.shared = shared, .fn = fn, .arg = arg};
}

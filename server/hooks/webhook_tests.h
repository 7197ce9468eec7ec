#ifndef SERVER_HOOKS_WEBHOOK_TESTS_H
#define SERVER_HOOKS_WEBHOOK_TESTS_H

#include "server/hooks/shared.h"

/* Test deliveries that the API requests. If the endpoint is not known yet, because it was just
 * created or enabled, the test waits for the next loads. */

#define WEBHOOK_TESTS_MAX 16

struct webhook_test {
	char endpoint[32]; /* whk_... */
	char event[48];    /* evt_... */
	char project[32];  /* prj_... */
};
/* Sends the test. False: the endpoint is not known. */
typedef bool webhook_tests_fn(const struct webhook_test *test, void *arg);

struct webhook_tests {
	struct hooks_shared *shared;
	webhook_tests_fn *fn;
	void *arg;
	struct webhook_test waiting[WEBHOOK_TESTS_MAX];
	size_t n;
	int64_t wait_until, ask_at; /* monotonic ms */
};

void webhook_tests_init(struct webhook_tests *w, struct hooks_shared *shared, webhook_tests_fn *fn,
			void *arg);
/* Reads new tests from the store when it is time. Call it often. */
void webhook_tests_tick(struct webhook_tests *w, int64_t now_ms);
/* The endpoints were loaded: tries the waiting tests again. */
void webhook_tests_start_waiting(struct webhook_tests *w);

#endif

#ifndef SERVER_HOOKS_ENGINE_H
#define SERVER_HOOKS_ENGINE_H

#include "server/base/loop.h"
#include "server/hooks/news.h"
#include "server/hooks/webhook_tests.h"

/* The active hooks process: holds the lease, knows all endpoints, runs their targets. */

struct engine {
	struct hooks_shared shared; /* config and redis are filled in by the caller */
	struct loop *loop;          /* filled in by the caller */
	struct target *targets;
	struct news news;
	struct webhook_tests tests;
	int64_t version; /* of the endpoints in the store, at the last load; -1: load again */
	bool is_loading;
	uint64_t loaded_after; /* number of the last committed batch when the last load began */
	int64_t load_at, give_up_at; /* monotonic ms */
	struct loop_timer tick;
	void (*stopped)(
		void *); /* filled in by the caller; called after engine_stop or a lost lease */
	void *stopped_arg;
};

int engine_start(struct engine *e, struct err *why);
/* Lets open requests end, commits, releases the lease, then calls stopped(). */
void engine_stop(struct engine *e);
void engine_free(struct engine *e);

#endif

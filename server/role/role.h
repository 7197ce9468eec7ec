#ifndef SERVER_ROLE_ROLE_H
#define SERVER_ROLE_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/loop.h"
#include "server/config/config.h"

/* What runs in a child process of the supervisor. The roles are in api/api_role.h,
 * smtp/relay/relay_role.h, smtp/relay/recover.h, server/hooks/hooks_role.h, server/keeper/keeper.h.
 */

struct redis;

struct role_context {
	const struct config *config;
	const int *listen_fds; /* bound, listening, non-blocking; owned by the supervisor */
	size_t n_listen_fds;
	size_t n_metrics_fds; /* the last ones of them: for metrics, not for the API */
	const char *owner;    /* relay: id of this incarnation; recover: id of the dead relay */
};

/* Runs in the child after the fork. Returns the exit status: 0 = ended in order, 1 = failed. */
typedef int role_fn(const struct role_context *ctx);

struct role_functions;

/* A running role. role_run() fills it in; the functions of the role read the first four. */
struct role {
	const struct role_context *ctx;
	struct loop *loop;
	struct redis *redis;
	void *state; /* of the role's own type */
	const struct role_functions *functions;
	struct loop_timer limit;
	bool is_draining;
	bool is_patient;
	int status;
};

struct role_functions {
	unsigned redis_needs; /* bits of enum redis_need */
	int64_t drain_ms;     /* limit of a drain after SIGTERM; 0: the setting drain_s */
	/* The loop and the Redis client exist; Redis may not have replied yet. */
	int (*start)(struct role *r, struct err *e);
	/* Finish the work in hand within ms, then call role_end(). is_patient: after a reload;
	 * another generation of this role already serves, so a long drain delays nobody. Called a
	 * second time with is_patient false if SIGTERM follows SIGUSR1. NULL: the loop ends at
	 * once. */
	void (*drain)(struct role *r, int64_t ms, bool is_patient);
	/* The loop has ended; pending Redis calls have not failed yet. May be NULL. */
	void (*end)(struct role *r);
	/* Release the state, also after a failed start. Pending Redis calls have failed; loop and
	 * Redis client still exist. */
	void (*stop)(struct role *r);
};

/* Runs one role until it ends; returns its exit status. state is borrowed and becomes role->state.
 *
 * SIGUSR1 drains with is_patient. SIGTERM drains without it; a second SIGTERM ends the loop at
 * once. */
int role_run(const struct role_functions *functions, const struct role_context *ctx, void *state);

/* Ends the loop. role_run() returns status. */
void role_end(struct role *r, int status);

#endif

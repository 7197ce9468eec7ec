#ifndef SERVER_REDIS_CALLBACK_H
#define SERVER_REDIS_CALLBACK_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"
#include "server/redis/resp.h"

/* The callback of a call to Redis, and the result that it gets. */

enum call_end {
	CALL_ANSWERED,   /* reply is set; it is never an error reply */
	CALL_NEVER_SENT, /* time limit passed; the command did not run (not sent, or Redis replied
			    "not now") */
	CALL_UNKNOWN,    /* time limit passed, or the process ends; the command may have run */
	CALL_FAILED,     /* Redis refused the command, or memory ran out; the command did not run */
};

/* Borrowed for the callback. */
struct call_result {
	enum call_end end;
	const struct resp *reply; /* NULL unless CALL_ANSWERED */
	const struct err *why;    /* NULL if CALL_ANSWERED */
};
typedef void call_fn(const struct call_result *result, void *context);

/* A function and its context. */
struct callback {
	call_fn *fn;
	const void *context;
	size_t size; /* 0: fn gets the pointer context itself */
};
/* fn gets the pointer. */
#define CALLBACK(fn, pointer) ((struct callback){(fn), (pointer), 0})
/* fn gets a copy of the variable. The call owns the copy and frees it after fn. */
#define CALLBACK_COPY(fn, variable) ((struct callback){(fn), &(variable), sizeof(variable)})

/* Counts calls whose results belong together. Embed it in the context that they share. */
struct call_group {
	unsigned n_open; /* calls without a result */
	bool has_failed;
	struct err why; /* of a call that failed */
};
/* Takes one result and keeps its error. Returns true for the last result of the group. */
static inline bool call_group_end(struct call_group *g, const struct call_result *result)
{
	if (result->end != CALL_ANSWERED) {
		g->has_failed = true;
		g->why = *result->why;
	}
	return --g->n_open == 0;
}

#endif

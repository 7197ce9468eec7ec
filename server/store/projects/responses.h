#ifndef SERVER_STORE_PROJECTS_RESPONSES_H
#define SERVER_STORE_PROJECTS_RESPONSES_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct redis;

/* Stored responses for the Idempotency-Keys of requests that create something other than a message.
 * A request claims the key before it creates the object, and finishes the claim with its response.
 * A claim that is never finished (the process died) expires after RESPONSES_LEASE_MS. */

#define RESPONSES_LEASE_MS 30000 /* longer than any such request takes */

struct responses_claim {
	const char *space;       /* a tenant, or "root": each has its own keys */
	const char *key;         /* hash of the Idempotency-Key, hex */
	const char *fingerprint; /* hash of the request, hex */
	const char *token;       /* of this request, no blank in it */
};

enum responses_outcome {
	RESPONSES_FAILED,   /* why is set: ERR_RETRY, ERR_INTERNAL */
	RESPONSES_CLAIMED,  /* the caller creates the object, then calls responses_finish */
	RESPONSES_REPLAYED, /* the first request is finished; status and text of its response */
	RESPONSES_CONFLICT, /* the key was used with another fingerprint */
	RESPONSES_IN_HAND,  /* the first request is not finished */
};

/* status and text are set for RESPONSES_REPLAYED, else 0 and "". Borrowed for the callback. */
typedef void responses_claim_fn(enum responses_outcome outcome, unsigned status, const char *text,
				const struct err *why, void *arg);
/* Copies the claim. fn fires exactly once, after the call has returned. */
void responses_claim(struct redis *redis, const struct responses_claim *claim,
		     responses_claim_fn *fn, void *arg);

/* why NULL: the response is stored. ERR_NOT_FOUND: the claim had expired; ERR_RETRY, ERR_INTERNAL.
 */
typedef void responses_finish_fn(const struct err *why, void *arg);
/* Stores the response for life_ms. status 0: stores nothing, and the key is free again. fn fires
 * exactly once, after the call has returned. */
void responses_finish(struct redis *redis, const struct responses_claim *claim, unsigned status,
		      const char *text, int64_t life_ms, responses_finish_fn *fn, void *arg);

#endif

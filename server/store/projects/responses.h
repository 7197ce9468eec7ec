#ifndef SERVER_STORE_PROJECTS_RESPONSES_H
#define SERVER_STORE_PROJECTS_RESPONSES_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct redis;

/* Stored responses for the Idempotency-Keys of requests that create something other than a message.
 * A request claims the key before it creates the object, and finishes the claim with its response.
 * If it does not finish (the process died), the next request with the key takes over the claim
 * after RESPONSES_LEASE_MS, with the same seed. Ids and secrets are made from the seed, so it finds
 * what the first request may have made, and does not make a second one. */

#define RESPONSES_LEASE_MS 30000 /* longer than any such request takes */

struct responses_claim {
	const char *space;       /* a tenant, or "root": each has its own keys */
	const char *key;         /* hash of the Idempotency-Key, hex */
	const char *fingerprint; /* hash of the request, hex */
	const char *token;       /* of this request, no blank in it */
	const char *seed;        /* of this request, no blank in it */
	int64_t life_ms;         /* how long the claim and the response are kept */
};

enum responses_outcome {
	RESPONSES_FAILED,   /* why is set: ERR_RETRY, ERR_INTERNAL */
	RESPONSES_CLAIMED,  /* text is the seed. Create the object, then call responses_finish */
	RESPONSES_REPLAYED, /* the first request is finished; status and text of its response */
	RESPONSES_CONFLICT, /* the key was used with another fingerprint */
	RESPONSES_IN_HAND,  /* the first request is not finished */
};

/* status and text are those of the response for RESPONSES_REPLAYED. Borrowed for the callback. */
typedef void responses_claim_fn(enum responses_outcome outcome, unsigned status, const char *text,
				const struct err *why, void *arg);
/* Copies the claim. fn fires exactly once, after the call has returned. */
void responses_claim(struct redis *redis, const struct responses_claim *claim,
		     responses_claim_fn *fn, void *arg);

/* why NULL: done. ERR_NOT_FOUND: another request has taken over the claim; ERR_RETRY, ERR_INTERNAL.
 */
typedef void responses_finish_fn(const struct err *why, void *arg);
/* In place of a status. Numbers as in lua/responses/response_finish.lua. */
enum responses_end {
	RESPONSES_FORGET,  /* nothing was made: the key is free again */
	RESPONSES_RELEASE, /* something may have been made: the next request takes over the claim */
};
/* Stores status and text, unless status is one of enum responses_end. fn fires exactly once, after
 * the call has returned. */
void responses_finish(struct redis *redis, const struct responses_claim *claim, unsigned status,
		      const char *text, responses_finish_fn *fn, void *arg);

#endif

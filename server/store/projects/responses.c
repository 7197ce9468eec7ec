/* Responses that are kept for an Idempotency-Key. */
#include "server/store/projects/responses.h"

#include <string.h>

#include "lua_calls.h"
#include "server/redis/callback.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000

struct claiming {
	responses_claim_fn *fn;
	void *arg;
};

static const enum responses_outcome outcomes[] = {
	[RESPONSE_CLAIM_STATUS_CLAIMED] = RESPONSES_CLAIMED,
	[RESPONSE_CLAIM_STATUS_REPLAYED] = RESPONSES_REPLAYED,
	[RESPONSE_CLAIM_STATUS_CONFLICT] = RESPONSES_CONFLICT,
	[RESPONSE_CLAIM_STATUS_IN_HAND] = RESPONSES_IN_HAND,
};

static void on_claimed(const struct call_result *result, void *context)
{
	const struct claiming *c = context;
	const struct resp *reply = result->reply;
	int64_t outcome = resp_number_at(reply, RESPONSE_CLAIM_OUTCOME);
	struct err e;

	/* An outcome that is not known is from a script of another version. Then the request must
	 * not run. */
	if (result->end != CALL_ANSWERED) {
		c->fn(RESPONSES_FAILED, 0, "", result->why, c->arg);
	} else if (outcome < RESPONSE_CLAIM_STATUS_CLAIMED ||
		   outcome > RESPONSE_CLAIM_STATUS_IN_HAND) {
		resp_unexpected(&e);
		c->fn(RESPONSES_FAILED, 0, "", &e, c->arg);
	} else {
		c->fn(outcomes[outcome], (unsigned)resp_number_at(reply, RESPONSE_CLAIM_STATUS),
		      resp_text(resp_item(reply, RESPONSE_CLAIM_RESPONSE)), NULL, c->arg);
	}
}

void responses_claim(struct redis *redis, const struct responses_claim *claim,
		     responses_claim_fn *fn, void *arg)
{
	struct claiming claiming = {fn, arg};
	struct command c = {0};

	script_response_claim(&c, REDIS_GLOBAL,
			      &(struct script_response_claim){
				      .space = claim->space,
				      .hash = claim->key,
				      .fingerprint = claim->fingerprint,
				      .token = claim->token,
				      .seed = claim->seed,
				      .life_ms = claim->life_ms,
				      .lease_ms = RESPONSES_LEASE_MS,
			      });
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_claimed, claiming));
}

struct finishing {
	responses_finish_fn *fn;
	void *arg;
};

static void on_finished(const struct call_result *result, void *context)
{
	const struct finishing *f = context;
	struct err why;

	/* The lease of the claim ended, and another request of the same key runs. */
	err_set(&why, ERR_NOT_FOUND, "another request has taken over the claim");
	if (result->end != CALL_ANSWERED)
		why = *result->why;
	f->fn(resp_number(result->reply) == 1 ? NULL : &why, f->arg);
}

void responses_finish(struct redis *redis, const struct responses_claim *claim, unsigned status,
		      const char *text, responses_finish_fn *fn, void *arg)
{
	struct finishing finishing = {fn, arg};
	struct command c = {0};

	script_response_finish(&c, REDIS_GLOBAL,
			       &(struct script_response_finish){
				       .space = claim->space,
				       .hash = claim->key,
				       .fingerprint = claim->fingerprint,
				       .token = claim->token,
				       .status = status,
				       .response = text,
				       .response_len = strlen(text),
				       .life_ms = claim->life_ms,
			       });
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_finished, finishing));
}

/* Responses that are kept for an Idempotency-Key, against a real Redis. */
#include "tests/unit/redis/redis_fixture.h"

#include "server/base/log.h"
#include "server/store/projects/responses.h"

#define LIFE_MS (24 * INT64_C(3600000))

static const struct responses_claim one = {"1", "hash", "print", "one", "seed1", LIFE_MS};
static const struct responses_claim two = {"1", "hash", "print", "two", "seed2", LIFE_MS};

struct claimed {
	int calls;
	enum responses_outcome outcome;
	unsigned status;
	char text[100];
	struct err why;
};

static void on_claimed(enum responses_outcome outcome, unsigned status, const char *text,
		       const struct err *why, void *arg)
{
	struct claimed *c = arg;

	c->calls++;
	c->outcome = outcome;
	c->status = status;
	snprintf(c->text, sizeof(c->text), "%s", text);
	c->why = why ? *why : (struct err){0};
}

static struct claimed claim(struct fixture *f, const struct responses_claim *what)
{
	struct claimed c = {0};

	responses_claim(f->store, what, on_claimed, &c);
	wait_call(f, &c.calls);
	return c;
}

static enum err_kind finish(struct fixture *f, const struct responses_claim *what, unsigned status,
			    const char *text)
{
	struct finished d = {0};

	responses_finish(f->store, what, status, text, on_finished, &d);
	return wait_finished(f, &d);
}

static void a_kept_response_comes_back_with_its_status(void **state)
{
	struct fixture *f = *state;
	struct claimed c;

	assert_int_equal(claim(f, &one).outcome, RESPONSES_CLAIMED);
	assert_int_equal(finish(f, &one, 201, "{\"a\": \"b c\"}\n"), ERR_NONE);
	c = claim(f, &two);
	assert_int_equal(c.outcome, RESPONSES_REPLAYED);
	assert_int_equal(c.status, 201);
	assert_string_equal(c.text, "{\"a\": \"b c\"}\n");
}

static void one_request_at_a_time_has_the_claim(void **state)
{
	const struct responses_claim other = {"1", "hash", "another", "three", "seed3", LIFE_MS};
	const struct responses_claim elsewhere = {"root", "hash",  "another",
						  "four", "seed4", LIFE_MS};
	struct fixture *f = *state;

	assert_int_equal(claim(f, &one).outcome, RESPONSES_CLAIMED);
	assert_int_equal(claim(f, &two).outcome, RESPONSES_IN_HAND);
	assert_int_equal(claim(f, &other).outcome, RESPONSES_CONFLICT);
	assert_int_equal(claim(f, &elsewhere).outcome, RESPONSES_CLAIMED);
	assert_int_equal(finish(f, &two, 201, "x"), ERR_NOT_FOUND);
	assert_int_equal(finish(f, &one, RESPONSES_FORGET, ""), ERR_NONE);
	assert_int_equal(claim(f, &other).outcome, RESPONSES_CLAIMED);
}

static void a_claim_that_is_released_goes_to_the_next_request_with_its_seed(void **state)
{
	struct fixture *f = *state;
	struct claimed c;

	assert_string_equal(claim(f, &one).text, "seed1");
	assert_int_equal(finish(f, &one, RESPONSES_RELEASE, ""), ERR_NONE);
	c = claim(f, &two);
	assert_int_equal(c.outcome, RESPONSES_CLAIMED);
	assert_string_equal(c.text, "seed1");
	assert_int_equal(finish(f, &one, 201, "late"), ERR_NOT_FOUND);
	assert_int_equal(finish(f, &two, 201, "x"), ERR_NONE);
	assert_string_equal(claim(f, &one).text, "x");
}

static void the_end_of_the_process_ends_both_calls_with_a_reason(void **state)
{
	struct fixture *f = *state;
	struct finished d = {0};
	struct claimed c = {0};

	kill_redis(f);
	responses_claim(f->store, &one, on_claimed, &c);
	responses_finish(f->store, &one, 201, "x", on_finished, &d);
	redis_abandon(f->store);
	assert_int_equal(c.calls, 1);
	assert_int_equal(c.outcome, RESPONSES_FAILED);
	assert_int_equal(c.why.kind, ERR_RETRY);
	assert_int_equal(d.calls, 1);
	assert_int_equal(d.why.kind, ERR_RETRY);
}

UNIT_TESTS(READY(a_kept_response_comes_back_with_its_status),
	   READY(one_request_at_a_time_has_the_claim),
	   READY(a_claim_that_is_released_goes_to_the_next_request_with_its_seed),
	   READY(the_end_of_the_process_ends_both_calls_with_a_reason))

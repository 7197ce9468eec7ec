/* Idempotency-Key of requests that make a key, project, webhook or suppression. */
#include "api/once.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/response.h"
#include "api/send/idempotency.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/base/seal.h"
#include "server/store/projects/responses.h"

#define TOKEN_LEN 20

struct once {
	struct request *request;
	once_fn *make;
	bool has_secret;
	char space[TENANT_MAX];
	char key[IDEMPOTENCY_HEX], fingerprint[IDEMPOTENCY_HEX];
	char token[TOKEN_LEN + 1];
	struct once_seed seed;
	char seal_name[sizeof("response ") + TENANT_MAX + IDEMPOTENCY_HEX + IDEMPOTENCY_HEX];
};

static struct responses_claim claim_of(const struct once *o)
{
	return (struct responses_claim){
		.space = o->space,
		.key = o->key,
		.fingerprint = o->fingerprint,
		.token = o->token,
		.seed = o->seed.body,
		.life_ms = request_api(o->request)->config->idempotency_s * 1000,
	};
}

static const char *secret_of(const struct request *r)
{
	return request_api(r)->config->secret;
}

/* ---- the seed ---- */

static void make_seed(struct once_seed *seed)
{
	struct id id = id_make("one", 0);

	snprintf(seed->body, sizeof(seed->body), "%s", id.text + 4);
	random_bytes(seed->secret, sizeof(seed->secret));
}

/* Takes the seed of the claim. It is in Redis, so the secret is made from it with POSTERN_SECRET.
 */
static int take_seed(struct once *o, const char *body, struct err *e)
{
	char what[sizeof(o->seal_name) + ID_LEN + 8];

	snprintf(o->seed.body, sizeof(o->seed.body), "%s", body);
	if (!o->has_secret)
		return 0;
	snprintf(what, sizeof(what), "%s seed %s", o->seal_name, body);
	return seal_derive(secret_of(o->request), what, o->seed.secret, e);
}

struct id once_id(const struct once_seed *seed, const char *prefix)
{
	struct id id;

	snprintf(id.text, sizeof(id.text), "%.3s_%s", prefix, seed->body);
	return id;
}

static void once_free(struct once *o)
{
	explicit_bzero(&o->seed, sizeof(o->seed));
	free(o);
}

/* ---- the first request with a key ---- */

static void on_finished(const struct err *why, void *arg)
{
	struct once *o = arg;
	struct request *r = o->request;

	once_free(o);
	if (why)
		LOG(LOG_WARN, "idempotency.not_kept", LOG_S("request", request_id(r)),
		    LOG_S("reason", why->text));
	response_release(r);
}

/* Appends the response as it is kept. */
static int write_kept(const struct once *o, const char *body, struct buf *out, struct err *e)
{
	if (o->has_secret)
		return seal_text(secret_of(o->request), o->seal_name, body, out, e);
	buf_str(out, body);
	return out->failed ? err_oom(e) : 0;
}

static void on_response(struct request *r, unsigned status, const char *body, size_t len, void *arg)
{
	struct once *o = arg;
	struct responses_claim claim = claim_of(o);
	bool is_kept = status >= 200 && status < 300;
	unsigned end = status >= 400 && status < 500 ? RESPONSES_FORGET : RESPONSES_RELEASE;
	struct buf kept = {0};
	struct err e;

	(void)len; /* JSON has no NUL */
	if (is_kept && write_kept(o, body, &kept, &e) < 0) {
		LOG(LOG_WARN, "idempotency.not_kept", LOG_S("request", request_id(r)),
		    LOG_S("reason", e.text));
		is_kept = false;
	}
	responses_finish(request_api(r)->redis, &claim, is_kept ? status : end,
			 is_kept ? buf_text(&kept) : "", on_finished, o);
	buf_deinit(&kept);
}

/* ---- a later one ---- */

static void replay(const struct once *o, unsigned status, const char *text)
{
	struct request *r = o->request;
	struct buf body = {0};
	struct err e;

	if (!o->has_secret) {
		buf_str(&body, text);
	} else if (seal_open(secret_of(r), o->seal_name, text, &body, &e) < 0) {
		response_err(r, &e);
		buf_deinit(&body);
		return;
	}
	response_header(r, "Idempotent-Replayed", "true");
	response_text(r, status, "application/json", buf_text(&body), body.len);
	if (o->has_secret)
		explicit_bzero(body.data, body.len);
	buf_deinit(&body);
}

static void respond_in_hand(struct request *r)
{
	response_header(r, "Retry-After", "1");
	response_problem(r, PROBLEM_CONFLICT, NULL,
			 "A request with this Idempotency-Key is being processed. Repeat the "
			 "request after the seconds in Retry-After.");
}

static void on_claimed(enum responses_outcome outcome, unsigned status, const char *text,
		       const struct err *why, void *arg)
{
	struct once *o = arg;
	struct request *r = o->request;
	struct err e;

	if (outcome == RESPONSES_CLAIMED) {
		response_hold(r, on_response, o);
		if (take_seed(o, text, &e) < 0)
			response_err(r, &e);
		else
			o->make(r, &o->seed);
		return;
	}
	if (outcome == RESPONSES_REPLAYED)
		replay(o, status, text);
	else if (outcome == RESPONSES_CONFLICT)
		response_problem(r, PROBLEM_IDEMPOTENCY_MISMATCH, NULL,
				 "The first request with this Idempotency-Key was another one, or "
				 "its API key had other scopes. Nothing was made.");
	else if (outcome == RESPONSES_IN_HAND)
		respond_in_hand(r);
	else
		response_err(r, why);
	once_free(o);
}

/* ---- start ---- */

/* The scopes of the API key are a part of the fingerprint: a replay must not show a secret to a key
 * that may not make it. */
static int take_fingerprint(const struct request *r, struct once *o, struct err *e)
{
	struct buf what = {0};
	const char *body;
	size_t len;

	body = request_body(r, &len);
	buf_fmt(&what, "%s scopes=%u", request_path(r), request_key(r)->scopes);
	if (!what.failed)
		idempotency_fingerprint(request_method_text(r), buf_text(&what), body, len,
					o->fingerprint);
	buf_deinit(&what);
	return what.failed ? err_oom(e) : 0;
}

static int read_once(const struct request *r, const char *header, struct once *o, struct err *e)
{
	const struct key *key = request_key(r);
	bool is_root = key->scopes & SCOPE_ROOT;

	if (idempotency_key(header, key->is_test, o->key, e) < 0 || take_fingerprint(r, o, e) < 0)
		return -1;
	snprintf(o->space, sizeof(o->space), "%s", is_root ? "root" : key->tenant);
	snprintf(o->seal_name, sizeof(o->seal_name), "response %s %s %s", o->space, o->key,
		 o->fingerprint);
	id_random(o->token, TOKEN_LEN);
	make_seed(&o->seed);
	return 0;
}

static void start(struct request *r, const char *header, bool has_secret, once_fn *make)
{
	struct once *o = calloc(1, sizeof(*o));
	struct responses_claim claim;
	struct err e;

	if (!o) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "out of memory");
		return;
	}
	*o = (struct once){.request = r, .make = make, .has_secret = has_secret};
	if (read_once(r, header, o, &e) < 0) {
		once_free(o);
		response_err(r, &e);
		return;
	}
	claim = claim_of(o);
	responses_claim(request_api(r)->redis, &claim, on_claimed, o);
}

static void run_without_key(struct request *r, once_fn *make)
{
	struct once_seed seed;

	make_seed(&seed);
	make(r, &seed);
	explicit_bzero(&seed, sizeof(seed));
}

void once_run(struct request *r, bool has_secret, once_fn *make)
{
	const char *header = request_header(r, "Idempotency-Key");

	if (!header)
		run_without_key(r, make);
	else if (has_secret && !*secret_of(r))
		response_problem(
			r, PROBLEM_NOT_CONFIGURED, NULL,
			"Without POSTERN_SECRET a response with a secret cannot be kept. Set "
			"POSTERN_SECRET to 32 bytes in base64 (openssl rand -base64 32), or "
			"send the request without Idempotency-Key.");
	else
		start(r, header, has_secret, make);
}

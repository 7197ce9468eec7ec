/* Divides a process between the tenants: turns for large requests, and the memory that they hold.
 */
#include "api/http/shares.h"

#include <stddef.h>
#include <string.h>

#include "api/http/exchange.h"
#include "api/http/linger.h"
#include "api/http/request_state.h"
#include "server/base/clock.h"
#include "server/base/log.h"

#define WAIT_MS 10000
#define BODIES_MAX ((size_t)256 << 20)

/* ---- turns ---- */

static size_t bytes_of(const struct request *r)
{
	if (r->route->body == BODY_NONE_BULK)
		return SHARES_AT_ONCE;
	return r->body.len > SHARES_LARGE ? r->body.len : 0;
}

/* A request that is larger than the limit works alone. */
static bool has_room(const struct shares *shares, const struct request *r)
{
	return shares->bytes == 0 || shares->bytes + bytes_of(r) <= SHARES_AT_ONCE;
}

static void start(struct shares *shares, struct request *r)
{
	r->shares = shares;
	r->share_bytes = bytes_of(r);
	shares->bytes += r->share_bytes;
	r->next_working = shares->working;
	shares->working = r;
}

static struct request *request_of(struct turns_item *turn)
{
	return turn ? (struct request *)((char *)turn - offsetof(struct request, turn)) : NULL;
}

bool shares_enter(struct request *r)
{
	struct shares *shares = &r->server->shares;

	if (bytes_of(r) == 0)
		return true;
	if (!turns_first(&shares->waiting) && has_room(shares, r)) {
		start(shares, r);
		return true;
	}
	if (turns_add(&shares->waiting, &r->turn, r->key.tenant) < 0)
		return true;
	r->step = STEP_TURN;
	r->share_since_ms = clock_mono_ms();
	return false;
}

static void end_turn(struct request *r)
{
	struct shares *shares = r->shares;
	struct request **at = &shares->working;

	while (*at != r)
		at = &(*at)->next_working;
	*at = r->next_working;
	shares->bytes -= r->share_bytes;
	r->shares = NULL;
	for (r = request_of(turns_first(&shares->waiting)); r && has_room(shares, r);
	     r = request_of(turns_first(&shares->waiting))) {
		turns_take(&shares->waiting);
		start(shares, r);
		exchange_start(r);
	}
}

static void stop_waiting(struct request *r, enum request_step step)
{
	turns_remove(&r->server->shares.waiting, &r->turn, r->key.tenant);
	r->step = step;
}

void shares_leave(struct request *r)
{
	if (r->step == STEP_TURN)
		stop_waiting(r, STEP_SENT);
	if (r->shares)
		end_turn(r);
}

static void refuse(struct request *r)
{
	stop_waiting(r, STEP_WORK);
	response_problem(
		r, r->route->body == BODY_NONE_BULK ? PROBLEM_UNAVAILABLE : PROBLEM_NOT_ACCEPTED,
		NULL, "Too many large requests of this project wait. Try again later.");
}

/* Refuses those of the tenant whose turn it is; then the next one is first. */
static void refuse_late(struct turns *waiting, int64_t now_ms)
{
	struct request *r = request_of(turns_first(waiting));
	size_t n = 0, n_lines = waiting->n_lines;
	char tenant[TENANT_MAX];

	if (!r)
		return;
	memcpy(tenant, r->key.tenant, sizeof(tenant));
	while (waiting->n_lines == n_lines && now_ms - r->share_since_ms > WAIT_MS) {
		refuse(r);
		n++;
		r = request_of(turns_first(waiting));
	}
	if (n)
		LOG(LOG_WARN, "http.waited_too_long", LOG_B("tenant", tenant, strlen(tenant)),
		    LOG_N("requests", n));
	if (waiting->n_lines == n_lines)
		turns_pass(waiting);
}

void shares_tick(struct http_server *s, int64_t now_ms)
{
	for (size_t n = s->shares.waiting.n_lines; n > 0; n--)
		refuse_late(&s->shares.waiting, now_ms);
}

void shares_deinit(struct shares *shares)
{
	for (struct request *r = shares->working; r; r = r->next_working)
		r->shares = NULL;
	shares->working = NULL;
	while (turns_first(&shares->waiting))
		turns_take(&shares->waiting);
}

/* ---- memory ---- */

#define TENANTS_MAX 64 /* that are compared; others are not asked to give */

/* What a tenant holds, and its oldest request that can be ended. */
struct held {
	const char *tenant;
	size_t bytes;
	struct request *oldest;
};

typedef size_t bytes_fn(const struct request *r);

static size_t body_bytes(const struct request *r)
{
	return r->body.len;
}

static size_t response_bytes(const struct request *r)
{
	return r->text_len;
}

static bool can_end(const struct request *r)
{
	return r->peer && r->peer->phase != PEER_DOOMED &&
	       (r->step == STEP_BODY || r->step == STEP_TURN || r->step == STEP_SENT);
}

static struct held *find_held(struct held *list, size_t *n, const char *tenant)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i].tenant, tenant) == 0)
			return &list[i];
	if (*n == TENANTS_MAX)
		return NULL;
	list[*n] = (struct held){.tenant = tenant};
	return &list[(*n)++];
}

/* The tenant that holds most. bytes 0: nobody holds anything. */
static struct held find_heaviest(const struct http_server *s, bytes_fn *bytes)
{
	struct held list[TENANTS_MAX], most = {.tenant = ""};
	size_t n = 0;

	for (struct request *r = s->requests; r; r = r->next) {
		struct held *held = bytes(r) ? find_held(list, &n, r->key.tenant) : NULL;

		if (!held)
			continue;
		held->bytes += bytes(r);
		if (can_end(r) && (!held->oldest || r->began_us < held->oldest->began_us))
			held->oldest = r;
	}
	for (size_t i = 0; i < n; i++)
		if (list[i].bytes > most.bytes)
			most = list[i];
	return most;
}

/* Ends a request of another tenant, and frees what it holds. */
static void end_other(struct http_server *s, struct request *r)
{
	LOG(LOG_WARN, "http.made_room", LOG_S("request", r->id), LOG_S("tenant", r->key.tenant),
	    LOG_N("bytes", r->body.len + r->text_len));
	if (r->step == STEP_TURN) {
		refuse(r);
		return;
	}
	if (r->step == STEP_BODY)
		linger_last_words(s, r->peer->fd, PROBLEM_NOT_ACCEPTED, r->id,
				  "Too many large requests of this project at once.");
	request_free_body(r);
	s->response_bytes -= r->text_len;
	r->text_len = 0;
	peer_shut(r->peer);
}

static bool make_room(struct request *r, const size_t *held, size_t len, size_t most,
		      bytes_fn *bytes)
{
	while (*held + len > most) {
		struct held heaviest = find_heaviest(r->server, bytes);

		if (!heaviest.oldest || strcmp(heaviest.tenant, r->key.tenant) == 0)
			return false;
		end_other(r->server, heaviest.oldest);
	}
	return true;
}

bool shares_body_fits(struct request *r, size_t len)
{
	return make_room(r, &r->server->body_bytes, len, BODIES_MAX, body_bytes);
}

bool shares_response_fits(struct request *r, size_t len)
{
	return make_room(r, &r->server->response_bytes, len, r->server->limits.responses_max,
			 response_bytes);
}

/* Divides a process between the tenants: turns for large requests, and the memory that they hold.
 */
#include "api/http/shares.h"

#include <stdlib.h>
#include <string.h>

#include "api/http/exchange.h"
#include "api/http/linger.h"
#include "api/http/request_state.h"
#include "server/base/clock.h"
#include "server/base/log.h"

#define WAIT_MS 10000
#define BODIES_MAX ((size_t)256 << 20)

/* ---- turns ---- */

/* The requests of one tenant that wait. */
struct share_line {
	struct share_line *next;
	char tenant[TENANT_MAX];
	struct request *first, **last;
};

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

static struct share_line **find_line(struct shares *shares, const char *tenant)
{
	struct share_line **at = &shares->first;

	while (*at && strcmp((*at)->tenant, tenant) != 0)
		at = &(*at)->next;
	return at;
}

/* NULL: out of memory. */
static struct share_line *line_of(struct shares *shares, const char *tenant)
{
	struct share_line **at = find_line(shares, tenant), *line = *at;

	if (line)
		return line;
	line = calloc(1, sizeof(*line));
	if (!line)
		return NULL;
	memcpy(line->tenant, tenant, TENANT_MAX);
	line->last = &line->first;
	*at = line;
	return line;
}

static void take_out(struct share_line *line, struct request *r)
{
	struct request **at = line ? &line->first : NULL;

	while (at && *at && *at != r)
		at = &(*at)->after;
	if (!at || !*at)
		return;
	*at = r->after;
	if (!*at)
		line->last = at;
	r->after = NULL;
}

static void drop_if_empty(struct share_line **at)
{
	struct share_line *line = *at;

	if (!line || line->first)
		return;
	*at = line->next;
	free(line);
}

/* The first tenant gets a turn, and goes to the end. */
static void start_next(struct shares *shares)
{
	struct share_line *line = shares->first, **end = &shares->first;
	struct request *r = line->first;

	take_out(line, r);
	shares->first = line->next;
	line->next = NULL;
	while (*end)
		end = &(*end)->next;
	*end = line;
	drop_if_empty(end);
	start(shares, r);
	exchange_start(r);
}

bool shares_enter(struct request *r)
{
	struct shares *shares = &r->server->shares;
	struct share_line *line;

	if (bytes_of(r) == 0)
		return true;
	if (!shares->first && has_room(shares, r)) {
		start(shares, r);
		return true;
	}
	line = line_of(shares, r->key.tenant);
	if (!line)
		return true;
	r->step = STEP_TURN;
	r->share_since_ms = clock_mono_ms();
	r->after = NULL;
	*line->last = r;
	line->last = &r->after;
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
	while (shares->first && has_room(shares, shares->first->first))
		start_next(shares);
}

void shares_leave(struct request *r)
{
	struct share_line **at;

	if (r->step == STEP_TURN) {
		at = find_line(&r->server->shares, r->key.tenant);
		take_out(*at, r);
		drop_if_empty(at);
		r->step = STEP_SENT;
	}
	if (r->shares)
		end_turn(r);
}

static void refuse(struct share_line *line, struct request *r)
{
	take_out(line, r);
	r->step = STEP_WORK;
	response_problem(
		r, r->route->body == BODY_NONE_BULK ? PROBLEM_UNAVAILABLE : PROBLEM_NOT_ACCEPTED,
		NULL, "Too many large requests of this project wait. Try again later.");
}

static size_t refuse_late(struct share_line *line, int64_t now_ms)
{
	size_t n = 0;

	for (; line->first && now_ms - line->first->share_since_ms > WAIT_MS; n++)
		refuse(line, line->first);
	return n;
}

void shares_tick(struct http_server *s, int64_t now_ms)
{
	struct share_line **at = &s->shares.first;

	while (*at) {
		struct share_line *line = *at;
		size_t n = refuse_late(line, now_ms);

		if (n)
			LOG(LOG_WARN, "http.waited_too_long", LOG_S("tenant", line->tenant),
			    LOG_N("requests", n));
		if (line->first)
			at = &line->next;
		else
			drop_if_empty(at);
	}
}

void shares_deinit(struct shares *shares)
{
	for (struct request *r = shares->working; r; r = r->next_working)
		r->shares = NULL;
	shares->working = NULL;
	while (shares->first) {
		struct share_line *line = shares->first;

		shares->first = line->next;
		free(line);
	}
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
		struct share_line **at = find_line(&s->shares, r->key.tenant);

		refuse(*at, r);
		drop_if_empty(at);
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

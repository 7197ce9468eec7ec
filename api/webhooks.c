/* Webhook endpoints: create, show, change, delete. */
#include "api/webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/response.h"
#include "api/once.h"
#include "api/page.h"
#include "api/webhook_fields.h"
#include "api/messages/render.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/seal.h"
#include "server/events/sign.h"
#include "server/base/json_text.h"
#include "server/store/projects/endpoints.h"
#include "server/store/projects/tenant.h"

#define OVERLAP_MS (INT64_C(24) * 3600 * 1000) /* after a rotation both secrets sign so long */
#define ROUNDS_MAX 100 /* tries of a change, while other requests change the same endpoint */

/* secret NULL: it is not shown. */
static json_t *endpoint_json(const struct endpoint *e, const char *secret)
{
	json_t *lost = e->lost_until_ms
			       ? json_pack("{s:o, s:o}", "from", render_time(e->lost_from_ms),
					   "until", render_time(e->lost_until_ms))
			       : NULL;

	return json_pack(
		"{s:s, s:s, s:s, s:O, s:o, s:b, s:s*, s:o*, s:o*, s:o, s:s*}", "id", e->id, "mode",
		tenant_is_test(e->project) ? "test" : "live", "url", e->url, "events", e->events,
		"description", json_text(e->description, strlen(e->description)), "enabled",
		e->is_enabled, "disabled_reason", *e->disabled_reason ? e->disabled_reason : NULL,
		"disabled_at", e->disabled_ms ? render_time(e->disabled_ms) : NULL, "lost", lost,
		"created_at", render_time(e->created_ms), "secret", secret);
}

static void respond_endpoint(struct request *r, unsigned status, const struct endpoint *e,
			     const char *secret)
{
	response_json(r, status, endpoint_json(e, secret));
}

/* ---- a change ---- */

struct change {
	struct endpoint endpoint; /* after the change; borrows from before, body and sealed */
	struct endpoint before;
	json_t *body, *events;
	struct buf sealed;
	char secret[SIGN_SECRET_TEXT]; /* the new one, shown. "": none */
	struct webhook_fields fields;
	unsigned status;
	endpoints_fn *found; /* NULL: it is new */
	unsigned rounds;
};

static void change_free(void *state)
{
	struct change *c = state;

	explicit_bzero(c->secret, sizeof(c->secret));
	endpoint_deinit(&c->before);
	buf_deinit(&c->sealed);
	json_decref(c->events);
	json_decref(c->body);
	free(c);
}

static struct change *change_new(struct request *r, unsigned status)
{
	struct change *c = calloc(1, sizeof(*c));

	if (!c) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return NULL;
	}
	c->status = status;
	request_set_state(r, c, change_free);
	return c;
}

static void get_endpoint(struct request *r, endpoints_fn *fn)
{
	endpoints_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0), fn, r);
}

/* An earlier try with the same Idempotency-Key made the endpoint. */
static void on_made_before(const struct endpoint *list, size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;
	const struct change *c = request_state(r);

	(void)n;
	if (why)
		response_err(r, why);
	else
		respond_endpoint(r, c->status, list, c->secret);
}

static void on_written(const struct err *why, void *arg)
{
	struct request *r = arg;
	struct change *c = request_state(r);

	if (why && why->kind == ERR_NOT_FOUND && !c->found) {
		endpoints_get(request_api(r)->redis, c->endpoint.project, c->endpoint.id,
			      on_made_before, r);
		return;
	}
	if (why && why->kind == ERR_NOT_FOUND && c->rounds++ < ROUNDS_MAX) {
		/* It was deleted or changed meanwhile, perhaps by the hooks process. */
		get_endpoint(r, c->found);
		return;
	}
	if (why && why->kind == ERR_REFUSED) {
		response_problem(r, PROBLEM_CONFLICT, NULL, "%s", why->text);
	} else if (why) {
		response_err(r, why);
	} else {
		LOG(LOG_INFO, "webhook.saved", LOG_S("webhook", c->endpoint.id),
		    LOG_S("request", request_id(r)), LOG_N("enabled", c->endpoint.is_enabled));
		respond_endpoint(r, c->status, &c->endpoint, *c->secret ? c->secret : NULL);
	}
}

/* Seals the new secret. -1: it has responded. */
static int set_secret(struct request *r, struct change *c)
{
	char name[64];
	struct err e;

	endpoint_seal_name(c->endpoint.id, name);
	if (seal_text(request_api(r)->config->secret, name, c->secret, &c->sealed, &e) < 0) {
		if (e.kind == ERR_REFUSED)
			response_problem(r, PROBLEM_NOT_CONFIGURED, NULL, "%s", e.text);
		else
			response_err(r, &e);
		return -1;
	}
	c->endpoint.secret = buf_text(&c->sealed);
	return 0;
}

static void set_disabled_time(struct endpoint *e)
{
	if (e->is_enabled)
		e->disabled_ms = 0;
	else if (!e->disabled_ms)
		e->disabled_ms = clock_real_ms();
}

static void make_endpoint(struct request *r, const struct once_seed *seed)
{
	struct change *c = change_new(r, 201);
	struct id id = once_id(seed, "whk");
	struct endpoint *e;

	if (!c || webhook_fields_read(r, true, &c->fields, &c->body) < 0)
		return;
	e = &c->endpoint;
	sign_write_secret(seed->secret, c->secret);
	snprintf(e->id, sizeof(e->id), "%s", id.text);
	snprintf(e->project, sizeof(e->project), "%s", request_key(r)->tenant);
	c->events = c->fields.events ? json_incref(c->fields.events) : json_pack("[s]", "*");
	e->url = c->fields.url;
	e->description = c->fields.description ? c->fields.description : "";
	e->events = c->events;
	e->is_enabled = !json_is_false(c->fields.enabled);
	e->disabled_reason = "";
	e->created_ms = clock_real_ms();
	set_disabled_time(e);
	if (!c->events)
		response_problem(r, PROBLEM_INTERNAL, NULL, "out of memory");
	else if (set_secret(r, c) == 0)
		endpoints_put(request_api(r)->redis, e, NULL, on_written, r);
}

void webhooks_create(struct request *r)
{
	once_run(r, true, make_endpoint);
}

/* ---- change an endpoint ---- */

/* Copies the endpoint from the store, as the base of the change. -1: it has responded. */
static int copy_before(struct request *r, struct change *c, const struct endpoint *there,
		       const struct err *why)
{
	if (why) {
		response_err(r, why);
		return -1;
	}
	endpoint_deinit(&c->before);
	buf_reset(&c->sealed);
	if (endpoint_parse(there->id, there->project, there->text, strlen(there->text),
			   &c->before) < 0) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return -1;
	}
	c->endpoint = c->before;
	return 0;
}

static void on_found(const struct endpoint *list, size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct change *c = request_state(r);
	const struct webhook_fields *b = &c->fields;
	struct endpoint *e = &c->endpoint;

	(void)n;
	if (copy_before(r, c, list, why) < 0)
		return;
	if (b->url)
		e->url = b->url;
	if (b->description)
		e->description = b->description;
	if (b->events)
		e->events = b->events;
	if (b->enabled)
		e->is_enabled = json_is_true(b->enabled);
	if (b->enabled && e->is_enabled)
		e->lost_from_ms = e->lost_until_ms = 0;
	if (e->is_enabled)
		e->disabled_reason = "";
	set_disabled_time(e);
	endpoints_put(request_api(r)->redis, e, &c->before, on_written, r);
}

/* Reads the endpoint and lets `found` change it. */
static void start_change(struct request *r, struct change *c, endpoints_fn *found)
{
	c->found = found;
	get_endpoint(r, found);
}

void webhooks_update(struct request *r)
{
	struct change *c = change_new(r, 200);

	if (c && webhook_fields_read(r, false, &c->fields, &c->body) == 0)
		start_change(r, c, on_found);
}

/* True if an earlier try with the same Idempotency-Key rotated the secret. */
static bool has_new_secret(struct request *r, const struct change *c)
{
	struct buf text = {0};
	char name[64];
	struct err e;
	bool is_new;

	endpoint_seal_name(c->before.id, name);
	is_new =
		seal_open(request_api(r)->config->secret, name, c->before.secret, &text, &e) == 0 &&
		strcmp(buf_text(&text), c->secret) == 0;
	buf_wipe(&text);
	return is_new;
}

static void on_found_to_rotate(const struct endpoint *list, size_t n, const struct err *why,
			       void *arg)
{
	struct request *r = arg;
	struct change *c = request_state(r);

	(void)n;
	if (copy_before(r, c, list, why) < 0)
		return;
	if (has_new_secret(r, c)) {
		respond_endpoint(r, c->status, &c->endpoint, c->secret);
		return;
	}
	c->endpoint.old_secret = c->before.secret;
	c->endpoint.old_until_ms = clock_real_ms() + OVERLAP_MS;
	if (set_secret(r, c) == 0)
		endpoints_put(request_api(r)->redis, &c->endpoint, &c->before, on_written, r);
}

static void rotate_secret(struct request *r, const struct once_seed *seed)
{
	struct change *c = change_new(r, 200);

	if (!c)
		return;
	sign_write_secret(seed->secret, c->secret);
	start_change(r, c, on_found_to_rotate);
}

void webhooks_rotate(struct request *r)
{
	once_run(r, true, rotate_secret);
}

/* ---- show, delete ---- */

static void on_shown(const struct endpoint *list, size_t n, const struct err *why, void *arg)
{
	(void)n;
	if (why)
		response_err(arg, why);
	else
		respond_endpoint(arg, 200, list, NULL);
}

void webhooks_show(struct request *r)
{
	get_endpoint(r, on_shown);
}

static json_t *row_json(const void *row)
{
	return endpoint_json(row, NULL);
}

static void on_list(const struct endpoint *list, size_t n, const struct err *why, void *arg)
{
	page_respond_rows(
		arg, &(struct page_rows){n ? list[n - 1].id : NULL, -(ptrdiff_t)sizeof(*list), n},
		why, row_json);
}

void webhooks_list(struct request *r)
{
	static const char *const names[] = {NULL};

	if (page_begin_ids(r, "whk", names))
		endpoints_list(request_api(r)->redis, request_key(r)->tenant, on_list, r);
}

void webhooks_delete(struct request *r)
{
	endpoints_delete(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0),
			 response_no_content, r);
}

#ifndef SERVER_STORE_PROJECTS_ENDPOINTS_H
#define SERVER_STORE_PROJECTS_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "server/base/err.h"
#include "server/base/id.h"
#include "server/store/projects/tenant.h"

struct redis;

/* Reads and changes the webhook endpoints of a project for API requests. deliveries.h is for the
 * process that delivers. Each fn fires exactly once, after the call has returned, within 5 s. */

#define ENDPOINTS_MAX 20      /* a project */
#define ENDPOINT_TESTS_MAX 10 /* test deliveries that wait for an endpoint */
#define ENDPOINT_TESTS_REFUSAL "Too many tests of this webhook are under way. Test it again later."

struct endpoint {
	char id[ID_LEN + 1];      /* whk_... */
	char project[TENANT_MAX]; /* its tenant */
	const char *url, *description;
	json_t *events;         /* array of filters, as event_filter_fits takes them */
	const char *secret;     /* sealed for endpoint_seal_name */
	const char *old_secret; /* sealed; NULL: none */
	int64_t old_until_ms;   /* until then the old secret signs as well */
	bool is_enabled;
	const char *disabled_reason; /* "" = none */
	int64_t disabled_ms;         /* when it was disabled; 0: it is enabled */
	int64_t created_ms;
	int64_t lost_from_ms, lost_until_ms; /* events of this time were lost; 0: none */
	/* private: what the above points into */
	json_t *json;
	char *text;
};

/* The name that seal_text and seal_open bind a secret of this endpoint to. */
void endpoint_seal_name(const char *id, char out[64]);
/* RESP_ROW_SKIPPED: damaged. RESP_ROW_OOM. */
int endpoint_parse(const char *id, const char *project, const char *text, size_t len,
		   struct endpoint *out);
void endpoint_deinit(struct endpoint *e);

/* Oldest first; borrowed for the callback. list NULL: why is set. */
typedef void endpoints_fn(const struct endpoint *list, size_t n, const struct err *why, void *arg);
void endpoints_list(struct redis *redis, const char *project, endpoints_fn *fn, void *arg);
/* A list of one, or ERR_NOT_FOUND. */
void endpoints_get(struct redis *redis, const char *project, const char *id, endpoints_fn *fn,
		   void *arg);

/* why NULL: done. fn fires exactly once, after the call has returned. */
typedef void endpoints_done_fn(const struct err *why, void *arg);
/* Replaces `before` by *e (before NULL: a new endpoint). ERR_REFUSED: the project has
 * ENDPOINTS_MAX, or was deleted. ERR_NOT_FOUND: the stored endpoint differs from `before`. */
void endpoints_put(struct redis *redis, const struct endpoint *e, const struct endpoint *before,
		   endpoints_done_fn *fn, void *arg);
/* With its cursors, retries and lists of deliveries. ERR_NOT_FOUND: the project has no such
 * endpoint.
 */
void endpoints_delete(struct redis *redis, const char *project, const char *id,
		      endpoints_done_fn *fn, void *arg);

/* Delivers an event of the project again, with all attempts. ERR_REFUSED: the endpoint is disabled.
 */
void endpoints_redeliver(struct redis *redis, const char *project, const char *id,
			 const char *message, unsigned n, endpoints_done_fn *fn, void *arg);

/* The last deliveries, newest first: an array of objects. NULL: why is set, or out of memory. */
typedef void endpoints_log_fn(json_t *list, const struct err *why, void *arg);
/* failed_only: the list that has only failed deliveries, so they stay longer. */
void endpoints_deliveries(struct redis *redis, const char *id, bool failed_only,
			  endpoints_log_fn *fn, void *arg);

/* Requests a test delivery from the process that delivers, and reads its outcome. list NULL and why
 * NULL: there is no outcome yet. ERR_REFUSED: too many tests wait. */
void endpoints_ask_test(struct redis *redis, const struct endpoint *e, const char *event_id,
			const char *project_id, endpoints_done_fn *fn, void *arg);
/* Why the delivering process refused the test; NULL: it was posted. */
const char *endpoint_test_refusal(const json_t *outcome);
void endpoints_get_test(struct redis *redis, const char *event_id, endpoints_log_fn *fn, void *arg);

#endif

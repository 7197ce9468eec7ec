/* Health, metrics, and the OpenAPI document. */
#include "api/meta.h"

#include <string.h>

#include "api/http/response.h"
#include "api/canary.h"
#include "openapi_text.h"
#include "server/base/buf.h"
#include "server/base/metrics.h"
#include "server/config/helo_name.h"
#include "server/store/queue/relay_watch.h"
#include "server/redis/redis.h"

/* Alive even if the store is down, because a restart would not help. */
void meta_healthz(struct request *r)
{
	response_json(r, 200, json_pack("{s:s}", "status", "ok"));
}

/* NULL, or why this server accepts no mail. */
static const char *find_obstacle(const struct api *api)
{
	const char *why = NULL;

	if (api->is_draining)
		return "shutting down";
	if (!redis_is_ready(api->redis, &why))
		return why ? why : "the store is not ready";
	if (!canary_holds(&why) || !relay_watch_holds(api->redis, &why))
		return why;
	return NULL;
}

static void respond_ready(struct request *r, bool with_reason)
{
	const char *why = find_obstacle(request_api(r));
	const char *warning = why ? NULL : helo_name_warning(request_api(r)->config);
	const char *status = why ? "not ready" : "ready";
	json_t *json =
		json_pack("{s:s, s:s*, s:o*}", "status", status, "reason", with_reason ? why : NULL,
			  "warnings", with_reason && warning ? json_pack("[s]", warning) : NULL);

	if (why)
		response_header(r, "Retry-After", "1");
	response_json(r, why ? 503 : 200, json);
}

void meta_readyz(struct request *r)
{
	respond_ready(r, false);
}

void meta_readyz_with_reason(struct request *r)
{
	respond_ready(r, true);
}

void meta_metrics(struct request *r)
{
	struct buf text = {0};

	metrics_render(&text);
	response_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_text(&text),
		      text.len);
	buf_deinit(&text);
}

void meta_openapi_json(struct request *r)
{
	response_text(r, 200, "application/json", openapi_json, sizeof(openapi_json) - 1);
}

void meta_openapi_yaml(struct request *r)
{
	response_text(r, 200, "application/yaml", openapi_yaml, sizeof(openapi_yaml) - 1);
}

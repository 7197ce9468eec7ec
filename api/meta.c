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

static void respond_ready(struct request *r)
{
	const char *warning = helo_name_warning(request_api(r)->config);

	response_json(r, 200,
		      warning ? json_pack("{s:s, s:[s]}", "status", "ready", "warnings", warning)
			      : json_pack("{s:s}", "status", "ready"));
}

void meta_readyz(struct request *r)
{
	const char *why = NULL;

	if (request_api(r)->is_draining)
		why = "shutting down";
	else if (redis_is_ready(request_api(r)->redis, &why))
		why = NULL;
	else if (!why)
		why = "the store is not ready";
	if (!why && canary_holds(&why))
		relay_watch_holds(request_api(r)->redis, &why);
	if (!why) {
		respond_ready(r);
		return;
	}
	response_header(r, "Retry-After", "1");
	response_json(r, 503, json_pack("{s:s, s:s}", "status", "not ready", "reason", why));
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

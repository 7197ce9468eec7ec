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

/* NULL: there is none. */
static json_t *list_warnings(const struct api *api)
{
	const char *name = helo_name_warning(api->config);
	struct buf partitions = {0};
	json_t *list = json_array();

	if (name)
		json_array_append_new(list, json_string(name));
	if (redis_write_refusing(api->redis, &partitions))
		json_array_append_new(list, json_string(buf_text(&partitions)));
	buf_deinit(&partitions);
	if (json_array_size(list))
		return list;
	json_decref(list);
	return NULL;
}

static void respond_ready(struct request *r, bool with_reason)
{
	const char *why = find_obstacle(request_api(r));
	const char *status = why ? "not ready" : "ready";
	json_t *json =
		json_pack("{s:s, s:s*, s:o*}", "status", status, "reason", with_reason ? why : NULL,
			  "warnings", with_reason && !why ? list_warnings(request_api(r)) : NULL);

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
	redis_write_metrics(request_api(r)->redis, &text);
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

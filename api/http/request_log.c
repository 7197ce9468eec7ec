/* One log line and one count for each request. */
#include "api/http/request_log.h"

#include "api/http/request_state.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

static void count_status(const struct request *r)
{
	if (r->status >= 500)
		metric_add(METRIC_REQUESTS_5XX, 1);
	else if (r->status >= 400)
		metric_add(METRIC_REQUESTS_4XX, 1);
	else
		metric_add(METRIC_REQUESTS_2XX, 1);
}

/* What health checks and scrapers ask every few seconds would drown the rest. */
static bool is_routine(const struct request *r)
{
	return r->route && !r->route->scope && r->status < 500;
}

static void log_request(const struct request *r)
{
	enum log_level level = is_routine(r) ? LOG_DEBUG : LOG_INFO;
	struct log_field fields[] = {
		LOG_S("request", r->id),
		LOG_S("method", r->method),
		LOG_S("route", r->route ? r->route->path : "-"),
		LOG_N("status", r->status),
		LOG_N("ms", r->answered_us ? (r->answered_us - r->began_us) / 1000 : 0),
		LOG_N("bytes", r->text_len),
		{NULL, NULL, 0, 0},
		{NULL, NULL, 0, 0},
		{NULL, NULL, 0, 0},
	};

	if (!log_is_on(level))
		return;
	if (r->is_admitted && r->route->scope) {
		fields[6] = (struct log_field)LOG_S("project", r->key.project_id);
		fields[7] = (struct log_field)LOG_S("key", r->key.id);
	}
	log_write(level, "http.request", fields);
}

void request_log_end(const struct request *r)
{
	if (!r->status) {
		LOG(LOG_DEBUG, "http.aborted", LOG_S("request", r->id));
		return;
	}
	count_status(r);
	if (log_is_on(LOG_INFO))
		log_request(r);
}

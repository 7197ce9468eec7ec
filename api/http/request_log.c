/* One log line and one count for each request. */
#include "api/http/request_log.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "api/http/request_state.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

#define FIELDS_MAX 12 /* with the empty one at the end */

static void count_status(const struct request *r)
{
	if (r->status >= 500)
		metric_add(METRIC_REQUESTS_5XX, 1);
	else if (r->status >= 400)
		metric_add(METRIC_REQUESTS_4XX, 1);
	else
		metric_add(METRIC_REQUESTS_2XX, 1);
}

/* Health checks and scrapers send these requests every few seconds; they would fill the log. */
static bool is_routine(const struct request *r)
{
	return r->route && !r->route->scope && r->status < 500;
}

/* "" when it is not known. */
static void client_address(const struct request *r, char text[INET6_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *peer = info ? info->client_addr : NULL;
	socklen_t len = sizeof(struct sockaddr_in);

	*text = 0;
	if (peer && peer->sa_family == AF_INET6)
		len = sizeof(struct sockaddr_in6);
	if (peer)
		getnameinfo(peer, len, text, INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST);
}

static void log_request(const struct request *r, enum log_level level)
{
	const char *agent = request_header(r, "User-Agent");
	bool has_key = r->is_admitted && r->route->scope;
	char client[INET6_ADDRSTRLEN];
	struct log_field fields[FIELDS_MAX] = {
		LOG_S("request", r->id),
		LOG_S("method", r->method),
		LOG_S("route", r->route ? r->route->path : "-"),
		LOG_N("status", r->status),
		LOG_N("ms", r->responded_us ? (r->responded_us - r->began_us) / 1000 : 0),
		LOG_N("bytes", r->text_len),
	};
	size_t n = 6;

	client_address(r, client);
	fields[n++] = (struct log_field){"client", client, (size_t)-1, 0};
	if (agent)
		fields[n++] = (struct log_field)LOG_S("user_agent", agent);
	if (r->problem)
		fields[n++] = (struct log_field)LOG_S("problem", r->problem);
	if (has_key && *r->key.project_id)
		fields[n++] = (struct log_field)LOG_S("project", r->key.project_id);
	if (has_key)
		fields[n++] = (struct log_field)LOG_S("key", r->key.id);
	log_write(level, "http.request", fields);
}

void request_log_end(const struct request *r)
{
	enum log_level level;

	if (!r->status) {
		LOG(LOG_DEBUG, "http.aborted", LOG_S("request", r->id));
		return;
	}
	count_status(r);
	level = is_routine(r) ? LOG_DEBUG : LOG_INFO;
	if (log_is_on(level))
		log_request(r, level);
}

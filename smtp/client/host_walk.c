/* Decides which host of a route is tried next. */
#include "smtp/client/host_walk.h"

#define SESSIONS_MAX 2 /* after so many refused sessions the walk ends */

const struct route_host *host_walk_host(const struct host_walk *w)
{
	return w->at < w->route.n_hosts ? &w->route.hosts[w->at] : NULL;
}

void host_walk_skip(struct host_walk *w)
{
	w->is_clear = false;
	w->at++;
}

/* The host is this host. RFC 5321 5.1: skip it and all hosts of lower preference. */
static struct connection_result skip_loop(struct host_walk *w, const struct connection_result *why)
{
	bool has_better = w->at > 1;

	w->at = w->route.n_hosts;
	if (!has_better)
		return *why;
	return (struct connection_result){
		.outcome = OUTCOME_DEFERRED,
		.text = "the hosts of higher preference failed, and the next MX is this host"};
}

struct connection_result host_walk_fail(struct host_walk *w, const struct connection_facts *facts,
					const struct connection_result *why)
{
	if (facts->has_tls_failed && w->route.tls == ROUTE_TLS_OPPORTUNISTIC && !w->is_clear) {
		w->is_clear = true;
		return *why;
	}
	w->is_clear = false;
	w->at++;
	w->n_sessions += facts->connect_ms >= 0;
	if (why->outcome == OUTCOME_BOUNCED)
		return skip_loop(w, why);
	if (w->n_sessions >= SESSIONS_MAX)
		w->at = w->route.n_hosts;
	return *why;
}

/* Finds routes: from the cache, or by one lookup for all who wait for the same domain.
 *
 * The name of a site: the sorted names of the MX hosts of best preference (mx_site); the domain, if
 * it has no MX; or "relay:host:port". */
#include "server/route/router.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/config/helo_name.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/route/cache.h"
#include "server/route/dns.h"
#include "server/route/hosts.h"
#include "server/route/lookup.h"
#include "server/route/mx.h"
#include "server/route/reason.h"
#include "server/route/relay_url.h"

#define QUESTIONS_MAX 1000
#define WAITERS_MAX 20000 /* over all questions */
#define QUESTION_BUCKETS 256
#define CACHE_MAX 10000
#define TTL_MIN_S 60 /* also for TTL 0: one lookup serves a batch of mail */
#define TTL_MAX_S 3600
#define FAILURE_TTL_MS 5000
#define OWN_ADDRS_MAX 32

struct waiter {
	router_fn *fn;
	void *arg;
};

struct question {
	struct router *router;
	struct lookup *lookup;
	struct waiter *waiters;
	size_t n_waiters, waiters_cap;
	struct question *next; /* in its bucket */
	uint64_t hash;
	char name[254];
};

struct router {
	struct lookup_context ctx;
	struct dns *dns;
	struct cache *cache;
	struct question *questions[QUESTION_BUCKETS];
	size_t n_questions, n_waiters;
	uint64_t random;
	struct relay_url relay;
	struct finding literal; /* if the relay is an address: no lookup */
	enum route_tls tls;
	bool verify;
	const char *ca_file;
	char own_name[HELO_NAME_MAX];
	struct sockaddr_storage own_addrs[OWN_ADDRS_MAX];
};

/* Fills in the members that are the same for all routes of this router. */
static void complete_route(const struct router *r, struct route *route)
{
	route->is_relay = r->ctx.is_relay;
	route->tls = r->tls;
	route->verify = r->verify;
	route->user = r->relay.has_user ? r->relay.user : NULL;
	route->password = r->relay.has_user ? r->relay.password : NULL;
	route->ca_file = r->ca_file;
	if (r->ctx.is_relay)
		snprintf(route->site, sizeof(route->site),
			 strchr(r->relay.host, ':') ? "relay:[%.240s]:%u" : "relay:%.240s:%u",
			 r->relay.host, r->relay.port);
}

static void give_finding(struct router *r, struct finding *f, router_fn *fn, void *arg)
{
	if (!f->is_route) {
		fn(NULL, &f->failure, arg);
		return;
	}
	complete_route(r, &f->route);
	hosts_shuffle(f, &r->random);
	fn(&f->route, NULL, arg);
}

static void refuse(enum reason reason, const char *name, router_fn *fn, void *arg)
{
	struct route_failure failure;

	reason_explain(reason, name, &failure);
	fn(NULL, &failure, arg);
}

static struct question **find_question(struct router *r, uint64_t hash, const char *name)
{
	struct question **at = &r->questions[hash % QUESTION_BUCKETS];

	while (*at && ((*at)->hash != hash || strcmp((*at)->name, name) != 0))
		at = &(*at)->next;
	return at;
}

static void free_question(struct question *q)
{
	lookup_free(q->lookup);
	free(q->waiters);
	free(q);
}

static void keep_finding(struct router *r, const char *name, const struct finding *f)
{
	int64_t ttl_s = f->ttl_s;

	if (ttl_s < TTL_MIN_S)
		ttl_s = TTL_MIN_S;
	if (ttl_s > TTL_MAX_S)
		ttl_s = TTL_MAX_S;
	cache_put(r->cache, name, f,
		  clock_mono_ms() + (f->is_route ? ttl_s * 1000 : FAILURE_TTL_MS));
}

static void on_found(const struct finding *found, void *arg)
{
	struct question *q = arg;
	struct router *r = q->router;
	struct finding f = *found;

	*find_question(r, q->hash, q->name) = q->next;
	r->n_questions--;
	r->n_waiters -= q->n_waiters;
	keep_finding(r, q->name, &f);
	if (!f.is_route)
		LOG(LOG_DEBUG, "route.none", LOG_S("domain", q->name),
		    LOG_S("why", f.failure.text));
	for (size_t i = 0; i < q->n_waiters; i++)
		give_finding(r, &f, q->waiters[i].fn, q->waiters[i].arg);
	free_question(q);
}

static struct question *start_lookup(struct router *r, uint64_t hash, const char *name)
{
	struct question *q;

	if (r->n_questions >= QUESTIONS_MAX)
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->router = r;
	q->hash = hash;
	memcpy(q->name, name, strlen(name) + 1);
	if (lookup_start(&q->lookup, &r->ctx, name, on_found, q) < 0) {
		free(q);
		return NULL;
	}
	q->next = r->questions[hash % QUESTION_BUCKETS];
	r->questions[hash % QUESTION_BUCKETS] = q;
	r->n_questions++;
	return q;
}

static int wait_for(struct question *q, router_fn *fn, void *arg)
{
	if (q->n_waiters == q->waiters_cap) {
		size_t cap = q->waiters_cap ? q->waiters_cap * 2 : 1;
		struct waiter *more = reallocarray(q->waiters, cap, sizeof(*more));

		if (!more)
			return -1;
		q->waiters = more;
		q->waiters_cap = cap;
	}
	q->waiters[q->n_waiters++] = (struct waiter){fn, arg};
	q->router->n_waiters++;
	return 0;
}

/* Starts a lookup, or waits for one that is open. */
static void look_up(struct router *r, const char *name, router_fn *fn, void *arg)
{
	uint64_t hash = cache_hash(r->cache, name);
	struct question *q = NULL;

	if (r->n_waiters < WAITERS_MAX) {
		q = *find_question(r, hash, name);
		if (!q)
			q = start_lookup(r, hash, name);
	}
	if (!q || wait_for(q, fn, arg) < 0)
		refuse(REASON_BUSY, name, fn, arg);
}

void router_find(struct router *r, const char *domain, router_fn *fn, void *arg)
{
	struct finding f;
	const char *name = r->ctx.is_relay ? r->relay.host : domain;

	if (r->ctx.is_relay && r->relay.is_address) {
		give_finding(r, &r->literal, fn, arg);
		return;
	}
	if (!r->ctx.is_relay && !mx_is_host_name(name)) {
		refuse(REASON_BAD_DOMAIN, name, fn, arg);
		return;
	}
	if (cache_get(r->cache, name, clock_mono_ms(), &f))
		give_finding(r, &f, fn, arg);
	else
		look_up(r, name, fn, arg);
}

static void set_literal(struct router *r)
{
	struct host_addresses h = {0};

	if (inet_pton(AF_INET, r->relay.host, &h.v4[0]) == 1)
		h.n_v4 = 1;
	else if (inet_pton(AF_INET6, r->relay.host, &h.v6[0]) == 1)
		h.n_v6 = 1;
	r->literal.is_route = true;
	hosts_append(&r->literal, &h, r->relay.host, 0, r->relay.port, 1);
}

/* The addresses of the interfaces. Public addresses behind a NAT are not among them. */
static void learn_own_addrs(struct router *r)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i && r->ctx.n_own_addrs < OWN_ADDRS_MAX;
	     i = i->ifa_next) {
		struct sockaddr_storage *own = &r->own_addrs[r->ctx.n_own_addrs];

		if (!i->ifa_addr || (i->ifa_flags & IFF_LOOPBACK))
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			memcpy(own, i->ifa_addr, sizeof(struct sockaddr_in));
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(own, i->ifa_addr, sizeof(struct sockaddr_in6));
		else
			continue;
		r->ctx.n_own_addrs++;
	}
	freeifaddrs(all);
}

static int read_relay(const struct config *config, struct relay_url *out, struct err *e)
{
	if (relay_url_parse(config->relay_url, out, e) < 0)
		return err_prefix(e, "POSTERN_RELAY_URL");
	if (config->tls_policy != TLS_REQUIRED ||
	    (out->tls != RELAY_URL_TLS_UNVERIFIED && out->tls != RELAY_URL_TLS_OPPORTUNISTIC))
		return 0;
	relay_url_wipe(out);
	return err_set(e, ERR_INPUT,
		       "POSTERN_RELAY_URL: ?tls= contradicts POSTERN_TLS_POLICY=required, which "
		       "wants a valid certificate");
}

/* TLS to the relay: its URL decides, else POSTERN_TLS_POLICY. */
static void choose_relay_tls(struct router *r)
{
	const struct relay_url *u = &r->relay;

	if (u->is_implicit_tls)
		r->tls = ROUTE_TLS_IMPLICIT;
	else if (u->tls == RELAY_URL_TLS_OPPORTUNISTIC)
		r->tls = ROUTE_TLS_OPPORTUNISTIC;
	else if (u->tls != RELAY_URL_TLS_POLICY)
		r->tls = ROUTE_TLS_REQUIRED;
	r->verify = u->tls == RELAY_URL_TLS_VERIFIED ||
		    (u->tls == RELAY_URL_TLS_POLICY && r->tls == ROUTE_TLS_REQUIRED);
}

int router_check_config(const struct config *config, struct err *e)
{
	struct relay_url url;

	if (config->relay_url[0]) {
		if (read_relay(config, &url, e) < 0)
			return -1;
		relay_url_wipe(&url);
	}
	if (dns_check_servers(config->dns_servers, e) < 0)
		return err_prefix(e, "POSTERN_DNS_SERVERS");
	if (config->smtp_port < 1 || config->smtp_port > 65535)
		return err_set(e, ERR_INPUT,
			       "POSTERN_SMTP_PORT: must be a number from 1 to 65535, not %" PRId64,
			       config->smtp_port);
	return 0;
}

static int set_up(struct router *r, struct loop *loop, const struct config *config, struct err *e)
{
	/* /etc/hosts counts for the relay's name only: a mail domain in it would look like a domain
	 * without MX. */
	struct dns_options options = {config->dns_servers, config->relay_url[0] != '\0'};

	if (router_check_config(config, e) < 0)
		return -1;
	r->ctx = (struct lookup_context){.loop = loop,
					 .own_name = r->own_name,
					 .own_addrs = r->own_addrs,
					 .random = &r->random,
					 .port = (uint16_t)config->smtp_port,
					 .allow_private = config->mx_allow_private,
					 .is_relay = config->relay_url[0] != '\0'};
	r->ca_file = config->relay_ca_file[0] ? config->relay_ca_file : NULL;
	r->tls = config->tls_policy == TLS_REQUIRED ? ROUTE_TLS_REQUIRED : ROUTE_TLS_OPPORTUNISTIC;
	arc4random_buf(&r->random, sizeof(r->random));
	helo_name_find(config, r->own_name);
	learn_own_addrs(r);
	if (r->ctx.is_relay) {
		if (read_relay(config, &r->relay, e) < 0)
			return -1;
		r->ctx.port = r->relay.port;
		choose_relay_tls(r);
		if (r->relay.is_address)
			set_literal(r);
	}
	r->cache = cache_new(CACHE_MAX);
	if (!r->cache)
		return err_oom(e);
	if (dns_new(&r->dns, loop, &options, e) < 0)
		return -1;
	r->ctx.dns = r->dns;
	return 0;
}

int router_new(struct router **r, struct loop *loop, const struct config *config, struct err *e)
{
	struct router *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return err_oom(e);
	if (set_up(fresh, loop, config, e) < 0) {
		router_free(fresh);
		return -1;
	}
	*r = fresh;
	return 0;
}

static void free_questions(struct router *r)
{
	for (size_t i = 0; i < QUESTION_BUCKETS; i++) {
		while (r->questions[i]) {
			struct question *q = r->questions[i];

			r->questions[i] = q->next;
			free_question(q);
		}
	}
}

void router_free(struct router *r)
{
	if (!r)
		return;
	free_questions(r);
	dns_free(r->dns);
	cache_free(r->cache);
	relay_url_wipe(&r->relay);
	free(r);
}

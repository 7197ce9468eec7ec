/* Finds the addresses of the mail hosts of a domain, one DNS query after the other. */
#include "server/route/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/route/dns.h"
#include "server/route/hosts.h"
#include "server/route/mx.h"
#include "server/route/reason.h"

#define WAVE_HOSTS 3       /* asked for at the same time */
#define HOSTS_ENOUGH 2     /* RFC 5321 5.1: at least two are tried */
#define ADDRESSES_A_HOST 3 /* if there are other hosts */

struct address_question {
	struct lookup *lookup;
	size_t slot;
	enum dns_type type;
	struct dns_question *asked; /* NULL: answered */
};

struct lookup {
	const struct lookup_context *ctx;
	lookup_fn *fn;
	void *arg;
	struct loop_timer timer;
	int64_t deadline_ms;
	bool is_graced;
	bool is_implicit; /* no MX: the domain is its own host */

	struct dns_question *mx_asked;
	struct dns_mx *plan;
	size_t n_plan, n_done; /* hosts; those before n_done have been asked for */
	size_t n_wave;
	struct host_addresses wave[WAVE_HOSTS];
	struct address_question questions[WAVE_HOSTS * 2];

	size_t n_usable, n_missing; /* hosts with an address; hosts that are NXDOMAIN */
	bool is_failed, has_forbidden, is_own;
	struct finding finding;
	char name[254];
};

static void end_lookup(struct lookup *l, enum reason reason)
{
	l->finding.is_route = reason == REASON_NONE;
	if (reason != REASON_NONE)
		reason_explain(reason, l->name, &l->finding.failure);
	l->fn(&l->finding, l->arg);
}

static enum reason why_no_address(const struct lookup *l)
{
	if (l->is_failed)
		return REASON_DNS;
	if (l->ctx->is_relay)
		return REASON_RELAY_NO_ADDRESS;
	if (l->is_own)
		return REASON_OWN_ADDRESS;
	if (l->has_forbidden)
		return REASON_PRIVATE;
	if (l->is_implicit)
		return REASON_NO_MAIL_HOST;
	return l->n_missing == l->n_plan ? REASON_MX_UNKNOWN : REASON_MX_NO_ADDRESS;
}

static void set_timer(struct lookup *l, int64_t max_ms)
{
	int64_t left_ms = l->deadline_ms - clock_mono_ms();

	loop_timer_set(&l->timer, left_ms < max_ms ? left_ms : max_ms);
}

static void shorten_ttl(struct lookup *l, const struct dns_answer *answer)
{
	if (answer->status == DNS_FOUND && answer->ttl_s < l->finding.ttl_s)
		l->finding.ttl_s = answer->ttl_s;
}

/* Drops a host with our address and all hosts of equal or lower preference: they would send the
 * mail back to us. */
static void cut_own(struct lookup *l, size_t own)
{
	struct finding *f = &l->finding;

	l->is_own = true;
	l->n_plan = own;
	while (l->n_plan > 0 && l->plan[l->n_plan - 1].preference == l->plan[own].preference)
		l->n_plan--;
	while (f->route.n_hosts > 0 && f->ranks[f->route.n_hosts - 1] == l->plan[own].preference)
		f->route.n_hosts--;
}

static void collect_host(struct lookup *l, size_t slot)
{
	const struct host_addresses *h = &l->wave[slot];
	const struct dns_mx *mx = &l->plan[l->n_done + slot];

	l->is_failed = l->is_failed || h->is_failed;
	l->has_forbidden = l->has_forbidden || h->has_forbidden;
	if (h->no_names == 2)
		l->n_missing++;
	if (h->n_v4 + h->n_v6 == 0)
		return;
	l->n_usable++;
	hosts_append(&l->finding, h, mx->name, mx->preference, l->ctx->port,
		     l->n_plan > 1 ? ADDRESSES_A_HOST : ROUTE_HOSTS_MAX);
}

static void collect_wave(struct lookup *l)
{
	for (size_t i = 0; i < l->n_wave && l->n_done + i < l->n_plan; i++) {
		if (l->wave[i].is_own)
			cut_own(l, l->n_done + i);
		else
			collect_host(l, i);
	}
	l->n_done += l->n_wave;
	l->n_wave = 0;
}

static void ask_wave(struct lookup *l);

/* All queries are answered, or the time is over. */
static void end_wave(struct lookup *l)
{
	bool is_late = clock_mono_ms() >= l->deadline_ms;

	for (size_t i = 0; i < l->n_wave * 2; i++) {
		if (!l->questions[i].asked)
			continue;
		dns_cancel(l->questions[i].asked);
		l->questions[i].asked = NULL;
		l->wave[l->questions[i].slot].is_failed = true;
	}
	collect_wave(l);
	if (is_late && l->n_done < l->n_plan)
		l->is_failed = true;
	if (l->n_done < l->n_plan && l->n_usable < HOSTS_ENOUGH && !is_late)
		ask_wave(l);
	else
		end_lookup(l, l->finding.route.n_hosts ? REASON_NONE : why_no_address(l));
}

static bool is_wave_answered(const struct lookup *l)
{
	for (size_t i = 0; i < l->n_wave * 2; i++) {
		if (l->questions[i].asked)
			return false;
	}
	return true;
}

static void on_address(const struct dns_answer *answer, void *arg)
{
	struct address_question *q = arg;
	struct lookup *l = q->lookup;
	struct host_addresses *h = &l->wave[q->slot];

	q->asked = NULL;
	hosts_note(h, l->ctx, q->type, answer);
	shorten_ttl(l, answer);
	if (is_wave_answered(l)) {
		end_wave(l);
	} else if (!l->is_graced && h->n_v4 + h->n_v6 > 0) {
		l->is_graced = true;
		set_timer(l, LOOKUP_GRACE_MS);
	}
}

static void ask_address(struct lookup *l, size_t slot, enum dns_type type)
{
	struct address_question *q = &l->questions[slot * 2 + (type == DNS_AAAA)];

	*q = (struct address_question){l, slot, type, NULL};
	q->asked = dns_ask(l->ctx->dns, l->plan[l->n_done + slot].name, type, on_address, q);
	if (!q->asked)
		l->wave[slot].is_failed = true;
}

static void ask_wave(struct lookup *l)
{
	size_t left = l->n_plan - l->n_done;

	l->n_wave = left < WAVE_HOSTS ? left : WAVE_HOSTS;
	memset(l->wave, 0, sizeof(l->wave));
	for (size_t i = 0; i < l->n_wave; i++) {
		ask_address(l, i, DNS_A);
		ask_address(l, i, DNS_AAAA);
	}
	/* No query could be sent: continue from the loop. */
	if (is_wave_answered(l))
		set_timer(l, 0);
	else
		set_timer(l, l->n_usable ? LOOKUP_GRACE_MS : LOOKUP_MAX_MS);
}

static void plan_one(struct lookup *l)
{
	l->plan = calloc(1, sizeof(*l->plan));
	if (!l->plan) {
		end_lookup(l, REASON_DNS);
		return;
	}
	l->n_plan = 1;
	memcpy(l->plan->name, l->name, strlen(l->name) + 1);
	memcpy(l->finding.route.site, l->name, strlen(l->name) + 1);
	ask_wave(l);
}

static void plan_mx(struct lookup *l, const struct dns_answer *answer)
{
	size_t n = answer->n;
	enum reason reason;

	l->plan = calloc(n, sizeof(*l->plan));
	if (!l->plan) {
		end_lookup(l, REASON_DNS);
		return;
	}
	memcpy(l->plan, answer->mx, n * sizeof(*l->plan));
	reason = mx_keep_hosts(l->plan, &n, l->ctx->own_name);
	if (reason != REASON_NONE) {
		end_lookup(l, reason);
		return;
	}
	l->n_plan = n;
	mx_site(l->plan, n, l->finding.route.site);
	mx_shuffle(l->plan, n, l->ctx->random);
	ask_wave(l);
}

static void on_mx(const struct dns_answer *answer, void *arg)
{
	struct lookup *l = arg;

	l->mx_asked = NULL;
	shorten_ttl(l, answer);
	switch (answer->status) {
	case DNS_FOUND:
		plan_mx(l, answer);
		break;
	case DNS_NO_DATA:
		l->is_implicit = true;
		plan_one(l);
		break;
	case DNS_NO_NAME:
		end_lookup(l, REASON_NO_DOMAIN);
		break;
	case DNS_FAILED:
		end_lookup(l, REASON_DNS);
		break;
	}
}

static void on_timer(void *arg)
{
	struct lookup *l = arg;

	if (l->plan)
		end_wave(l);
	else if (l->ctx->is_relay)
		plan_one(l);
	else
		end_lookup(l, REASON_DNS);
}

int lookup_start(struct lookup **l, const struct lookup_context *ctx, const char *name,
		 lookup_fn *fn, void *arg)
{
	struct lookup *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return -1;
	fresh->ctx = ctx;
	fresh->fn = fn;
	fresh->arg = arg;
	fresh->finding.ttl_s = UINT32_MAX;
	fresh->deadline_ms = clock_mono_ms() + LOOKUP_MAX_MS;
	memcpy(fresh->name, name, strlen(name) + 1);
	if (loop_timer_init(&fresh->timer, ctx->loop, on_timer, fresh) < 0) {
		free(fresh);
		return -1;
	}
	if (!ctx->is_relay)
		fresh->mx_asked = dns_ask(ctx->dns, name, DNS_MX, on_mx, fresh);
	/* Without a query for MX (a relay, or it could not be sent) continue from the loop. */
	set_timer(fresh, fresh->mx_asked ? LOOKUP_MAX_MS : 0);
	*l = fresh;
	return 0;
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	dns_cancel(l->mx_asked);
	for (size_t i = 0; i < l->n_wave * 2; i++)
		dns_cancel(l->questions[i].asked);
	loop_timer_deinit(&l->timer);
	free(l->plan);
	free(l);
}

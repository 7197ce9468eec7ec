/* Decides what follows a transaction within the same attempt. */
#include "smtp/relay/followup.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/relay/delivery.h"
#include "smtp/client/host_walk.h"
#include "smtp/relay/retry.h"

static bool contains(const char *text, const char *words)
{
	size_t len = strlen(words);

	for (; *text; text++)
		if (strncasecmp(text, words, len) == 0)
			return true;
	return false;
}

/* ---- one result ---- */

static bool is_greylisting(const char *text)
{
	return contains(text, "greylist") || contains(text, "graylist") ||
	       contains(text, "grey-list") || contains(text, "gray-list") || retry_hint_s(text) > 0;
}

static bool is_too_many_recipients(const struct connection_result *r)
{
	if (r->source != SOURCE_REMOTE || r->phase != PHASE_RCPT)
		return false;
	if (r->enhanced.class)
		return r->enhanced.subject == 5 && r->enhanced.detail == 3;
	return ((r->code == 452 || r->code == 552) && !contains(r->text, "full")) ||
	       contains(r->text, "too many recipients");
}

/* RFC 3463: subject 1 is the address, 2 the mailbox. At MAIL it is the sender's. */
static bool is_about_mailbox(const struct connection_result *r)
{
	bool is_recipient = r->phase == PHASE_RCPT || r->phase == PHASE_DOT;

	return is_recipient && (r->enhanced.subject == 1 || r->enhanced.subject == 2) &&
	       r->enhanced.class != 0;
}

enum followup followup_of(const struct connection_result *r)
{
	if (r->outcome == OUTCOME_TOO_BIG || r->outcome == OUTCOME_UNTRIED)
		return FOLLOWUP_OTHER_HOST; /* RFC 1870 6.3: another host may take more */
	if (r->outcome != OUTCOME_DEFERRED || r->phase < PHASE_MAIL)
		return FOLLOWUP_NONE;
	if (r->source == SOURCE_LOCAL)
		return FOLLOWUP_OTHER_HOST; /* the connection broke before the dot */
	if (is_too_many_recipients(r))
		return FOLLOWUP_SAME_HOST;
	return is_greylisting(r->text) || is_about_mailbox(r) || r->code >= 500
		       ? FOLLOWUP_NONE
		       : FOLLOWUP_OTHER_HOST;
}

/* The MX demands authentication, or TLS that it does not offer. */
static bool is_hopeless(const struct connection_result *r)
{
	return r->outcome == OUTCOME_DEFERRED && r->source == SOURCE_REMOTE &&
	       r->phase >= PHASE_MAIL &&
	       (r->code == 530 || r->code == 534 || r->code == 535 || r->code == 538);
}

void followup_correct(struct delivery *d, size_t n, bool has_tls_failed)
{
	for (size_t i = 0; i < n; i++) {
		struct connection_result *r = &d->results[i];

		/* At a relay it is a setting to repair. */
		if (is_hopeless(r) && !d->route.is_relay && !has_tls_failed)
			r->outcome = OUTCOME_BOUNCED;
		else if (r->outcome == OUTCOME_BOUNCED && is_too_many_recipients(r))
			r->outcome = OUTCOME_DEFERRED;
	}
}

/* ---- all of them ---- */

static bool has_ended(const struct connection_result *r)
{
	return r->outcome == OUTCOME_DELIVERED || r->outcome == OUTCOME_BOUNCED;
}

static void swap_recipients(struct delivery *d, size_t a, size_t b)
{
	const char *recipient = d->recipients[a];
	unsigned number = d->numbers[a];
	struct connection_result result = d->results[a];

	d->recipients[a] = d->recipients[b];
	d->numbers[a] = d->numbers[b];
	d->results[a] = d->results[b];
	d->recipients[b] = recipient;
	d->numbers[b] = number;
	d->results[b] = result;
}

/* A host that accepts no recipient at all may have a limit that the next host does not have. */
static bool is_wanted(const struct connection_result *r, enum followup next)
{
	enum followup own = followup_of(r);

	return next == FOLLOWUP_SAME_HOST ? own == next : own != FOLLOWUP_NONE;
}

/* Moves the wanted recipients to the front and those that have ended to the end. */
static void sort_recipients(struct delivery *d, enum followup next)
{
	size_t i, n = 0;

	for (i = 0; i < d->n_recipients; i++)
		if (is_wanted(&d->results[i], next))
			swap_recipients(d, i, n++);
	d->n_open = n;
	for (i = n; i < d->n_recipients; i++)
		if (!has_ended(&d->results[i]))
			swap_recipients(d, i, n++);
	d->n_ended = d->n_recipients - n;
}

static size_t count_wanted(const struct delivery *d, size_t n, enum followup next)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += is_wanted(&d->results[i], next);
	return count;
}

bool followup_avoid(struct delivery *d, const char *host)
{
	struct route *route = &d->route;
	size_t n = 0;

	if (d->n_avoided == ROUTE_HOSTS_MAX)
		return false;
	snprintf(d->avoided[d->n_avoided++], sizeof(d->avoided[0]), "%s", host);
	for (size_t i = 0; i < route->n_hosts; i++)
		if (!delivery_avoids(d, route->hosts[i].name))
			route->hosts[n++] = route->hosts[i];
	route->n_hosts = n;
	return n > 0;
}

void followup_avoid_failed(struct delivery *d, const struct host_walk *w)
{
	const struct route_host *host = host_walk_host(w);

	for (size_t i = 0; host && i < w->at; i++) {
		const char *failed = w->route.hosts[i].name;

		if (strcmp(failed, host->name) != 0 && !delivery_avoids(d, failed))
			followup_avoid(d, failed);
	}
}

static enum followup choose(struct delivery *d, const char *host)
{
	size_t n_same = count_wanted(d, d->n_open, FOLLOWUP_SAME_HOST);

	/* Each time fewer recipients must be left, else it would never end. */
	if (n_same > 0 && n_same < d->n_open)
		return FOLLOWUP_SAME_HOST;
	if (count_wanted(d, d->n_recipients, FOLLOWUP_OTHER_HOST) > 0 && followup_avoid(d, host))
		return FOLLOWUP_OTHER_HOST;
	return FOLLOWUP_NONE;
}

enum followup followup_plan(struct delivery *d, const char *host)
{
	enum followup next = choose(d, host);

	if (next != FOLLOWUP_NONE)
		sort_recipients(d, next);
	return next;
}

/* Sender, recipients and signature of a delivery. */
#include "smtp/relay/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/config/config.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"

#define UNSIGNED_LOG_MS 60000

static bool is_open(enum recipient_state state)
{
	return state == STATE_QUEUED || state == STATE_DEFERRED || state == STATE_SCHEDULED;
}

/* MAIL FROM: the From address, or with POSTERN_BOUNCE_DOMAIN an address that names the job:
 * b+<26 characters of the message id><3 of the job>@<domain>. */
static void set_sender(struct delivery *d)
{
	const char *domain = d->set->context->config->bounce_domain;

	if (*domain)
		snprintf(d->sender, sizeof(d->sender), "b+%s@%s", d->job->ref + 4, domain);
	else
		snprintf(d->sender, sizeof(d->sender), "%s", d->job->record.sender);
}

int envelope_address(struct delivery *d, struct err *e)
{
	const struct record *rec = &d->job->record;

	d->recipients = calloc(rec->n_recipients + 1, sizeof(*d->recipients));
	d->numbers = calloc(rec->n_recipients + 1, sizeof(*d->numbers));
	d->results = calloc(rec->n_recipients + 1, sizeof(*d->results));
	if (!d->recipients || !d->numbers || !d->results)
		return err_oom(e);
	for (size_t i = 0; i < rec->n_recipients; i++) {
		if (rec->recipients[i].job != d->job->number || !is_open(rec->recipients[i].state))
			continue;
		d->recipients[d->n_recipients] = rec->recipients[i].email;
		d->numbers[d->n_recipients++] = (unsigned)i;
	}
	d->n_open = d->n_recipients;
	set_sender(d);
	return 0;
}

static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at ? at + 1 : "";
}

/* Counts each live mail, but logs only one a minute: the cause is the configuration, not the mail.
 */
static void report_unsigned(const struct delivery *d)
{
	struct relay_context *context = d->set->context;
	int64_t now = clock_mono_ms();

	if (d->job->record.is_test)
		return;
	metric_add(METRIC_DKIM_UNSIGNED, 1);
	if (now < context->next_unsigned_log_ms)
		return;
	context->next_unsigned_log_ms = now + UNSIGNED_LOG_MS;
	LOG(LOG_WARN, "dkim.unsigned", LOG_S("job", d->job->ref),
	    LOG_S("from_domain", domain_of(d->job->record.sender)),
	    LOG_S("dkim_domain", context->config->dkim_domain),
	    LOG_S("hint", "mail is only signed when its From domain is dkim_domain or below it"));
}

int envelope_sign(struct delivery *d, struct err *e)
{
	const struct dkim_keys *keys = &d->set->context->dkim;

	if (!keys->n || d->dkim.len)
		return 0;
	if (!dkim_key_covers(keys->key[0], domain_of(d->job->record.sender))) {
		report_unsigned(d);
		return 0;
	}
	return dkim_sign(keys, d->job->mail, d->job->mail_len, d->job->record.accepted_ms / 1000,
			 &d->dkim, e);
}

void envelope_free(struct delivery *d)
{
	free(d->recipients);
	free(d->numbers);
	free(d->results);
	buf_deinit(&d->dkim);
}

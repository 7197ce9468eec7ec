/* Sender, recipients and signature of a delivery. */
#include "smtp/relay/envelope.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/config/config.h"
#include "server/mail/dkim.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"

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

int envelope_sign(struct delivery *d, struct err *e)
{
	struct dkim_key *key = d->set->context->dkim;

	if (!key || d->dkim.len)
		return 0;
	return dkim_sign(key, d->job->mail, d->job->mail_len, d->job->record.accepted_ms / 1000,
			 &d->dkim, e);
}

void envelope_free(struct delivery *d)
{
	free(d->recipients);
	free(d->numbers);
	free(d->results);
	buf_deinit(&d->dkim);
}

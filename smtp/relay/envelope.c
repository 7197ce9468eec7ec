/* Whom a delivery is from and for, and its signature. */
#include "smtp/relay/relay.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/config/config.h"
#include "server/mail/dkim.h"

static bool is_open(enum recipient_state state)
{
	return state == STATE_QUEUED || state == STATE_DEFERRED || state == STATE_SCHEDULED;
}

/* MAIL FROM: the From address, or a bounce address that names the job: b+<26 of the id><job>@. */
static void set_sender(struct delivery *d)
{
	const char *domain = d->relay->config->bounce_domain;

	if (*domain)
		snprintf(d->sender, sizeof(d->sender), "b+%s@%s", d->job->ref + 4, domain);
	else
		snprintf(d->sender, sizeof(d->sender), "%s", d->job->record.sender);
}

int envelope_address(struct delivery *d)
{
	const struct record *rec = &d->job->record;

	d->recipients = calloc(rec->n_recipients + 1, sizeof(*d->recipients));
	d->numbers = calloc(rec->n_recipients + 1, sizeof(*d->numbers));
	if (!d->recipients || !d->numbers)
		return -1;
	for (size_t i = 0; i < rec->n_recipients; i++) {
		if (rec->recipients[i].job != d->job->number || !is_open(rec->recipients[i].state))
			continue;
		d->recipients[d->n_recipients] = rec->recipients[i].email;
		d->numbers[d->n_recipients++] = (unsigned)i;
	}
	set_sender(d);
	return 0;
}

int envelope_sign(struct delivery *d, struct err *e)
{
	if (!d->relay->dkim || d->dkim.len)
		return 0;
	return dkim_sign(d->relay->dkim, d->job->mail, d->job->mail_len,
			 d->job->record.accepted_ms / 1000, &d->dkim, e);
}

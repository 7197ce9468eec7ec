/* What became of recipients, as the store wants to hear it, and when to try again. */
#include "smtp/relay.h"

#include "server/base/config.h"
#include "server/base/id.h"
#include "server/route/bounce.h"

static const char *outcome_of(const struct delivery *d, enum connection_outcome outcome)
{
	switch (outcome) {
	case OUTCOME_DELIVERED:
		return "delivered";
	case OUTCOME_BOUNCED:
		return "bounced";
	case OUTCOME_UNKNOWN:
		return d->job->record.fail_on_unknown ? "failed" : "deferred";
	case OUTCOME_DEFERRED:
	case OUTCOME_UNTRIED:
		break;
	}
	return "deferred";
}

static void put_line_text(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++)
		buf_char(out, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
}

/* What the store should know beside the state: lua/settle.lua. */
static const char *flag_of(const struct connection_result *r)
{
	if (r->outcome == OUTCOME_UNKNOWN)
		return "dup";
	return r->outcome == OUTCOME_BOUNCED && bounce_is_recipient(r->code, r->text) ? "sup" : "-";
}

void results_write(const struct delivery *d, const struct connection_result *results,
		   struct buf *out)
{
	for (size_t i = 0; i < d->n_recipients; i++) {
		const struct connection_result *r = &results[i];

		buf_fmt(out, "%u %s %d %s ", d->numbers[i], outcome_of(d, r->outcome), r->code,
			flag_of(r));
		put_line_text(out, r->text);
		buf_char(out, '\n');
	}
}

/* 800 to 1199, in thousandths. */
static int64_t jitter(void)
{
	char random[3];

	id_random(random, 2);
	return 800 + ((random[0] * 37 + random[1]) * 7) % 400;
}

int64_t results_retry_ms(const struct delivery *d)
{
	const struct config *c = d->relay->config;
	int64_t s = d->job->record.lane == LANE_OTP ? c->retry_first_otp_s : c->retry_first_s;
	unsigned attempts = 0;

	for (size_t i = 0; i < d->n_recipients; i++) {
		unsigned a = d->job->record.recipients[d->numbers[i]].attempts;

		if (a > attempts)
			attempts = a;
	}
	for (unsigned i = 0; i < attempts && s < c->retry_max_s; i++)
		s *= 2;
	if (s > c->retry_max_s)
		s = c->retry_max_s;
	return s * jitter();
}

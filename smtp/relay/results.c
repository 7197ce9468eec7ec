/* Writes results for the store, log and metrics. */
#include "smtp/relay/results.h"

#include <string.h>
#include <strings.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/redis/redis.h"
#include "server/route/bounce.h"
#include "server/store/queue/accept.h"
#include "smtp/relay/attempt_report.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"

static const char *outcome_name(const struct delivery *d, enum connection_outcome outcome)
{
	switch (outcome) {
	case OUTCOME_DELIVERED:
		return "delivered";
	case OUTCOME_BOUNCED:
	case OUTCOME_TOO_BIG:
		return "bounced";
	case OUTCOME_UNKNOWN:
		return d->job->record.choices.fail_on_unknown ? "failed" : "deferred";
	case OUTCOME_DEFERRED:
	case OUTCOME_UNTRIED:
		break;
	}
	return "deferred";
}

static void write_on_one_line(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++)
		buf_char(out, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
}

/* True if the text contains the sender's address. */
static bool names_sender(const char *text, const char *sender)
{
	size_t len = strlen(sender);

	for (; *text; text++)
		if (strncasecmp(text, sender, len) == 0)
			return true;
	return false;
}

/* Recipients that got the reply to the dot. */
static size_t count_at_dot(const struct delivery *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_recipients; i++)
		n += d->results[i].phase == PHASE_DOT;
	return n;
}

/* A reply is surely about this address only if it is to the RCPT of this recipient, or to the dot
 * of a transaction without other recipients. */
static bool suppresses(const struct delivery *d, const struct connection_result *r, size_t n_at_dot)
{
	bool is_own = r->phase == PHASE_RCPT || (r->phase == PHASE_DOT && n_at_dot == 1);

	return r->outcome == OUTCOME_BOUNCED && r->source == SOURCE_REMOTE && is_own &&
	       !names_sender(r->text, d->sender) && !names_sender(r->text, d->job->record.sender) &&
	       bounce_is_recipient(r->code, r->text);
}

void results_write(const struct delivery *d, size_t first, size_t n, struct buf *out)
{
	size_t n_at_dot = count_at_dot(d);

	for (size_t i = first; i < first + n; i++) {
		const struct connection_result *r = &d->results[i];
		const char *flag = r->outcome == OUTCOME_UNKNOWN ? "dup"
				   : suppresses(d, r, n_at_dot)  ? "sup"
								 : "-";

		buf_fmt(out, "%u %s %d %s ", d->numbers[i], outcome_name(d, r->outcome), r->code,
			flag);
		write_on_one_line(out, r->text);
		buf_char(out, '\n');
	}
}

static void count_result(enum connection_outcome outcome, const struct delivery *d)
{
	static const enum metric metrics[] = {
		[OUTCOME_DELIVERED] = METRIC_DELIVERED, [OUTCOME_DEFERRED] = METRIC_DEFERRED,
		[OUTCOME_BOUNCED] = METRIC_BOUNCED,     [OUTCOME_UNKNOWN] = METRIC_UNKNOWN_OUTCOMES,
		[OUTCOME_UNTRIED] = METRIC_DEFERRED,    [OUTCOME_TOO_BIG] = METRIC_BOUNCED,
	};
	int64_t now = clock_real_ms() + redis_clock_offset_ms(d->set->context->redis, 0);

	metric_add(metrics[outcome], 1);
	if (outcome == OUTCOME_UNKNOWN)
		metric_add(d->job->record.choices.fail_on_unknown ? METRIC_FAILED : METRIC_DEFERRED,
			   1);
	if (outcome == OUTCOME_DELIVERED)
		metric_observe(METRIC_DELIVERY_MS, now - d->job->record.accepted_ms);
}

static void log_result(const struct delivery *d, const struct connection_facts *f, size_t i)
{
	static const char *const facts[] = {
		[OUTCOME_DELIVERED] = "recipient.delivered",
		[OUTCOME_DEFERRED] = "recipient.deferred",
		[OUTCOME_BOUNCED] = "recipient.bounced",
		[OUTCOME_UNKNOWN] = "recipient.unknown",
		[OUTCOME_UNTRIED] = "recipient.deferred",
		[OUTCOME_TOO_BIG] = "recipient.bounced",
	};
	const struct connection_result *r = &d->results[i];
	bool is_mail = strcmp(d->job->record.project, ACCEPT_NO_PROJECT) != 0;
	char message[31];

	if (is_mail)
		count_result(r->outcome, d);
	LOG(r->outcome != OUTCOME_DELIVERED ? LOG_WARN
	    : is_mail                       ? LOG_INFO
					    : LOG_DEBUG,
	    facts[r->outcome], LOG_S("message", job_message(d->job, message)),
	    LOG_N("recipient", d->numbers[i]), LOG_S("domain", strchr(d->recipients[i], '@') + 1),
	    LOG_S("site", d->job->site), LOG_S("host", f ? f->host : ""),
	    LOG_S("address", f ? f->address : ""), LOG_S("tls", f ? f->tls_version : ""),
	    LOG_N("code", r->code), LOG_S("reply", r->text),
	    LOG_N("ms", d->sent_ms ? clock_mono_ms() - d->sent_ms : 0));
}

void results_log(const struct delivery *d, size_t first, size_t n,
		 const struct attempt_source *source)
{
	for (size_t i = first; i < first + n; i++)
		log_result(d, source ? source->facts : NULL, i);
}

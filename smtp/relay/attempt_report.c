/* Describes an attempt: time, host, duration of each step, transcript. */
#include "smtp/relay/attempt_report.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/redis/redis.h"
#include "server/store/messages/attempt.h"
#include "server/store/messages/transcripts.h"
#include "smtp/client/transcript.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"

/* Connect, greeting, EHLO and TLS belong to the attempt that the connection was opened for. */
static bool has_opening(const struct delivery *d, const struct transcript *t)
{
	return !t->is_reused && d->routed_ms && t->opened_ms >= d->routed_ms;
}

static void copy_steps(const struct transcript *t, enum connection_phase first, struct attempt *a)
{
	static const enum attempt_step steps[PHASES] = {
		[PHASE_CONNECT] = ATTEMPT_CONNECT, [PHASE_GREETING] = ATTEMPT_GREETING,
		[PHASE_EHLO] = ATTEMPT_EHLO,       [PHASE_TLS] = ATTEMPT_TLS,
		[PHASE_AUTH] = ATTEMPT_AUTH,       [PHASE_MAIL] = ATTEMPT_MAIL,
		[PHASE_RCPT] = ATTEMPT_RCPT,       [PHASE_DATA] = ATTEMPT_DATA,
		[PHASE_BODY] = ATTEMPT_BODY,       [PHASE_DOT] = ATTEMPT_REPLY,
	};

	for (int i = (int)first; i < PHASES; i++)
		a->steps_ms[steps[i]] = t->phase_ms[i];
}

/* Steps never overlap: their sum is at most the duration of the attempt. */
static void measure_steps(const struct delivery *d, const struct attempt_source *source,
			  int64_t now, struct attempt *a)
{
	int64_t wait;

	for (int i = 0; i < ATTEMPT_STEPS; i++)
		a->steps_ms[i] = -1;
	if (d->asked_ms)
		a->steps_ms[ATTEMPT_DNS] =
			(int32_t)((d->routed_ms ? d->routed_ms : now) - d->asked_ms);
	if (source && (d->sent_ms || has_opening(d, source->transcript)))
		copy_steps(source->transcript,
			   has_opening(d, source->transcript) ? PHASE_CONNECT : PHASE_MAIL, a);
	if (!d->routed_ms)
		return;
	wait = (d->sent_ms ? d->sent_ms : now) - d->routed_ms;
	for (int i = ATTEMPT_CONNECT; i <= ATTEMPT_AUTH; i++)
		if (a->steps_ms[i] > 0)
			wait -= a->steps_ms[i];
	if (wait > 0)
		a->steps_ms[ATTEMPT_WAIT] = (int32_t)wait;
}

static void name_server(const struct attempt_source *source, struct attempt *a)
{
	const struct connection_facts *f = source->facts;

	a->host = f->host;
	a->ip = f->ip;
	a->port = f->port;
	a->source = f->source_ip;
	if (f->tls_version[0])
		a->tls = f->is_verified ? ATTEMPT_TLS_VERIFIED : ATTEMPT_TLS_UNVERIFIED;
	else if (f->has_tls_failed || source->has_tls_failed)
		a->tls = ATTEMPT_TLS_FAILED;
	a->tls_version = f->tls_version;
	a->tls_cipher = f->tls_cipher;
}

void attempt_report_describe(const struct delivery *d, const struct attempt_source *source,
			     int64_t now, struct attempt *out)
{
	*out = (struct attempt){.took_ms = now - d->started_ms};
	measure_steps(d, source, now, out);
	if (source)
		name_server(source, out);
}

static void write_line(const struct relay_context *c, char letter, struct attempt *a,
		       struct buf *out)
{
	char line[ATTEMPT_MAX];
	size_t len;

	a->started_ms = clock_real_ms() + redis_clock_offset_ms(c->redis, 0) - a->took_ms;
	len = attempt_format(a, line);
	buf_char(out, letter);
	buf_char(out, ' ');
	buf_append(out, line, len);
	buf_char(out, '\n');
}

/* The channel tried hosts for the mail that it was opened for. */
static void write_hosts_of_channel(const struct attempt_source *source, struct buf *out)
{
	if (source && source->hosts && source->hosts->len && !source->hosts->failed)
		buf_append(out, source->hosts->data, source->hosts->len);
}

void attempt_report_write(struct delivery *d, const struct attempt_source *source, struct buf *out)
{
	struct attempt a;

	if (d->hosts.len)
		buf_append(out, d->hosts.data, d->hosts.len);
	buf_reset(&d->hosts);
	write_hosts_of_channel(source, out);
	attempt_report_describe(d, source, clock_mono_ms(), &a);
	write_line(d->set->context, 'a', &a, out);
}

void attempt_report_host(const struct relay_context *c, const struct attempt_source *source,
			 const struct connection_result *result, int64_t since, struct buf *out)
{
	struct attempt a = {.took_ms = clock_mono_ms() - since};

	for (int i = 0; i < ATTEMPT_STEPS; i++)
		a.steps_ms[i] = -1;
	copy_steps(source->transcript, PHASE_CONNECT, &a);
	name_server(source, &a);
	a.code = result->code;
	a.reply = result->text[0] ? result->text : "no reply";
	write_line(c, 'h', &a, out);
}

void attempt_report_pass_on(struct delivery *d, const struct attempt_source *source)
{
	write_hosts_of_channel(source, &d->hosts);
	attempt_report_host(d->set->context, source, &d->results[0], d->sent_ms, &d->hosts);
	if (d->hosts.failed)
		buf_deinit(&d->hosts); /* the attempt is shown without them */
}

void attempt_report_keep_transcript(struct delivery *d, const struct attempt_source *source)
{
	struct buf text = {0};
	struct err e;

	transcript_text(source->transcript, &text);
	if (text.failed ||
	    (text.len && transcripts_pack(text.data, text.len, &d->transcript, &e) < 0)) {
		LOG(LOG_ERROR, "transcript.dropped", LOG_S("job", d->job->ref));
		buf_deinit(&d->transcript);
	}
	buf_deinit(&text);
}

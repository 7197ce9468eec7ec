/* Acts when a relay has too few connections for the ready mail. */
#include "smtp/relay/shortage.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/queue/relay_watch.h"
#include "smtp/relay/context.h"
#include "smtp/relay/site.h"
#include "smtp/relay/yield.h"

#define AGAIN_MS 250        /* until the store is asked again */
#define SILENT_OTP_MS 2000  /* a connection without a session yields to lane otp */
#define SILENT_MS 5000      /* and to other lanes */
#define SILENT_OWN_MS 30000 /* and to mail of the same tenant */
#define PROBE_MS 5000
#define YIELD_PART 16 /* of the connections yield at a time */
#define OTP_PATIENCE_MS 10000
#define OTP_REPORT_MS 5000

/* take does not say whether capped tenants have more mail. So from time to time a round caps none:
 * silent connections of a tenant shall not stop its own mail for minutes. */
void shortage_start_round(struct shortage *s)
{
	int64_t now = clock_mono_ms();

	s->is_probe = s->has_capped && s->waiting == TAKE_NONE_WAITS && now >= s->probe_ms;
	if (s->is_probe || !s->has_capped)
		s->probe_ms = now + PROBE_MS;
	s->waiting = TAKE_NONE_WAITS;
}

void shortage_hear(struct shortage *s, enum take_waiting waiting)
{
	if (waiting > s->waiting)
		s->waiting = waiting;
}

/* Without a free connection for lane otp for some seconds, /readyz reports it. */
static void watch_otp(struct shortage *s, int64_t now)
{
	if (s->waiting != TAKE_OTP_WAITS) {
		s->otp_since_ms = 0;
	} else if (!s->otp_since_ms) {
		s->otp_since_ms = now;
	} else if (now - s->otp_since_ms > OTP_PATIENCE_MS && now >= s->otp_report_ms) {
		s->otp_report_ms = now + OTP_REPORT_MS;
		LOG(LOG_ERROR, "otp.no_connection", LOG_N("waited_ms", now - s->otp_since_ms));
		relay_watch_report(s->sites->context->redis);
	}
}

static void yield_part(const struct shortage *s, int64_t silent_ms)
{
	yield_connections(s->sites, s->sites->context->shares.limit / YIELD_PART + 1, silent_ms);
}

static void end_probe(struct shortage *s)
{
	if (s->waiting != TAKE_NONE_WAITS)
		yield_part(s, SILENT_OWN_MS);
	s->waiting = TAKE_NONE_WAITS;
}

void shortage_end_round(struct shortage *s)
{
	const struct shares *shares = &s->sites->context->shares;
	struct shares_step step = shares_step(shares);
	bool is_otp = s->waiting == TAKE_OTP_WAITS;
	bool waits = s->waiting != TAKE_NONE_WAITS && !step.any && !(is_otp && step.otp);
	int64_t now = clock_mono_ms();

	if (s->is_probe) {
		end_probe(s);
		return;
	}
	s->is_short = waits || s->has_capped;
	s->until_ms = s->is_short ? now + AGAIN_MS : 0;
	s->room = shares_room(shares);
	watch_otp(s, now);
	if (waits)
		yield_part(s, is_otp ? SILENT_OTP_MS : SILENT_MS);
}

bool shortage_may_ask(const struct shortage *s)
{
	return clock_mono_ms() >= s->until_ms || shares_room(&s->sites->context->shares) > s->room;
}

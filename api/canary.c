/* Sends a test message through the whole system. Until it arrives, /readyz is 503. */
#include "api/canary.h"

#include <string.h>

#include "api/http/request.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/store/messages/messages.h"
#include "server/store/queue/accept.h"
#include "server/redis/redis.h"

#define LOOK_MS 20        /* between two looks at the message */
#define AGAIN_MS 10000    /* after a failure, before the next message */
#define PATIENCE_MS 30000 /* without a delivery, before it is logged */
#define WITHIN_MS 3600000 /* after it, the relays give the message up */
#define ADDRESS "canary@postern.invalid"
#define MAIL                                                                                       \
	"From: " ADDRESS "\r\nTo: " ADDRESS                                                        \
	"\r\nSubject: Canary\r\n\r\nSent by Postern to itself.\r\n"

static const char *const NOT_ACCEPTED =
	"the test message after the start could not be accepted yet";
static const char *const NOT_DELIVERED = "the test message after the start was accepted, but no "
					 "relay has delivered it to the built-in inbox yet";

static struct {
	const struct api *api; /* NULL: no test message is needed */
	struct loop_timer timer;
	struct id id;
	bool is_sent, is_told;
	int64_t began_ms;
	const char *why;
} canary;

/* The counter is in the mapping that all processes share, and it survives a reload. One message
 * is enough. */
static bool is_proven(void)
{
	return metric_sum(METRIC_CANARIES) > 0;
}

static void look_again(int64_t ms)
{
	if (canary.api)
		loop_timer_set(&canary.timer, ms);
}

static void on_message(const struct record *record, const struct err *why, void *arg)
{
	enum recipient_state state = record ? record->recipients[0].state : STATE_QUEUED;

	(void)arg;
	if (state == STATE_DELIVERED && !is_proven()) {
		metric_add(METRIC_CANARIES, 1);
		LOG(LOG_DEBUG, "canary.arrived", LOG_S("message", canary.id.text),
		    LOG_N("ms", clock_mono_ms() - canary.began_ms));
	}
	/* A record that is gone, or ended in another state, needs a new message. */
	canary.is_sent = record ? state == STATE_QUEUED : why->kind == ERR_RETRY;
	look_again(canary.is_sent || is_proven() ? LOOK_MS : AGAIN_MS);
}

static void on_accepted(enum accept_status status, const char *id, int64_t at_ms,
			const char *suppressed, const struct err *why, void *arg)
{
	(void)id;
	(void)at_ms;
	(void)suppressed;
	(void)why;
	(void)arg;
	canary.is_sent = status == ACCEPT_COMMITTED;
	canary.why = canary.is_sent ? NOT_DELIVERED : NOT_ACCEPTED;
	look_again(canary.is_sent ? LOOK_MS : AGAIN_MS);
}

static void send(struct redis *redis)
{
	static const char *const emails[] = {ADDRESS};

	canary.id = id_make("msg", accept_partition(redis, ACCEPT_NO_PROJECT, NULL));
	accept_message(redis,
		       &(struct accept_request){.id = canary.id,
						.project = ACCEPT_NO_PROJECT,
						.is_test = true,
						.lane = LANE_OTP,
						.sender = ADDRESS,
						.emails = emails,
						.n_emails = 1,
						.within_ms = WITHIN_MS,
						.facts = "{\"canary\":true}",
						.mail = MAIL,
						.mail_len = sizeof(MAIL) - 1},
		       on_accepted, NULL);
}

static void look(void *arg)
{
	struct redis *redis = canary.api->redis;

	(void)arg;
	if (is_proven())
		return;
	if (clock_mono_ms() - canary.began_ms > PATIENCE_MS && !canary.is_told) {
		canary.is_told = true;
		LOG(LOG_ERROR, "canary.missing", LOG_S("reason", canary.why));
	}
	if (!redis_is_ready(redis, NULL))
		look_again(LOOK_MS);
	else if (canary.is_sent)
		messages_get(redis, ACCEPT_NO_PROJECT, canary.id.text, on_message, NULL);
	else
		send(redis);
}

int canary_start(const struct api *api)
{
	/* Without a relay of its own, an installation cannot expect that the message arrives. */
	const int64_t needed = ROLE_API | ROLE_RELAY;

	if ((api->config->roles & needed) != needed || is_proven())
		return 0;
	if (loop_timer_init(&canary.timer, api->loop, look, NULL) < 0)
		return -1;
	canary.api = api;
	canary.began_ms = clock_mono_ms();
	canary.why = NOT_ACCEPTED;
	look_again(0);
	return 0;
}

void canary_stop(void)
{
	canary.api = NULL;
	loop_timer_deinit(&canary.timer);
}

bool canary_holds(const char **why)
{
	if (!canary.api || is_proven())
		return true;
	*why = canary.why;
	return false;
}

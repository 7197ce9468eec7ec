/* POST cancel and retry of a message. */
#include "api/messages/message_actions.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/messages/messages.h"
#include "api/http/response.h"

#include "server/base/log.h"
#include "server/store/messages/messages.h"

/* In this order: checks that the message is of this project, calls the store, responds with the
 * message as it is then. */

static void log_order(struct request *r, const char *event, int64_t n)
{
	LOG(LOG_INFO, event, LOG_S("message", request_param(r, 0)), LOG_S("request", request_id(r)),
	    LOG_N("done", n));
}

/* ---- cancel ---- */

static void on_canceled(const struct messages_done *done, const struct err *why, void *arg)
{
	struct request *r = arg;

	if (why) {
		response_err(r, why);
	} else if (done->done == 0) {
		response_problem(
			r, PROBLEM_CONFLICT, NULL, "%s",
			done->taken ? "It is too late: Postern is sending the mail to the mail "
				      "server now."
				    : "All recipients have reached a final state.");
	} else {
		log_order(r, "message.canceled", done->done);
		messages_show(r);
	}
}

static void cancel_found(const struct record *record, const struct err *why, void *arg)
{
	struct request *r = arg;

	if (record)
		messages_cancel(request_api(r)->redis, request_param(r, 0), on_canceled, r);
	else
		response_err(r, why);
}

void message_actions_cancel(struct request *r)
{
	messages_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0),
		     cancel_found, r);
}

/* ---- retry ---- */

static bool is_over(const struct record *record)
{
	for (size_t i = 0; i < record->n_recipients; i++)
		if (!recipient_state_is_terminal(record->recipients[i].state))
			return false;
	return true;
}

static void respond_too_early(struct request *r, int64_t wait_ms)
{
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%" PRId64, (wait_ms + 999) / 1000);
	response_header(r, "Retry-After", seconds);
	response_problem(r, PROBLEM_CONFLICT, NULL,
			 "This message was retried a moment ago. Retry it again in %s s.", seconds);
}

static void on_retried(const struct messages_done *done, const struct err *why, void *arg)
{
	struct request *r = arg;

	if (why) {
		response_err(r, why);
		return;
	}
	if (done->wait_ms > 0) {
		respond_too_early(r, done->wait_ms);
		return;
	}
	log_order(r, "message.retried", done->done);
	messages_show(r);
}

static void retry_found(const struct record *record, const struct err *why, void *arg)
{
	struct request *r = arg;

	if (!record)
		response_err(r, why);
	else if (is_over(record))
		response_problem(
			r, PROBLEM_CONFLICT, NULL,
			"All recipients have reached a final state. Send the message again.");
	else
		messages_retry(request_api(r)->redis, request_param(r, 0), on_retried, r);
}

void message_actions_retry(struct request *r)
{
	messages_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0),
		     retry_found, r);
}

#ifndef SERVER_HOOKS_OUTCOME_H
#define SERVER_HOOKS_OUTCOME_H

#include "server/hooks/target.h"

/* Decides what the result of a post means for the event (delivered, retried later, given up) and
 * for its endpoint (window, disabled). Writes deliveries and retries into the batch. */

#define OUTCOME_REASON_MAX 200

struct outcome {
	/* The event is delivered, in the retries, or given up. False: it stays where it is, and is
	 * sent again when the endpoint is enabled. */
	bool is_over;
	char disable_reason[OUTCOME_REASON_MAX]; /* "": the endpoint stays enabled */
};

struct outcome outcome_judge(struct target *t, const struct post *p, enum post_outcome result,
			     const struct fetch_response *response);
/* A retry whose event can no longer be read. */
struct outcome outcome_give_up(struct target *t, const struct retry *retry, const char *reason);
/* The retention removed the events of this time before they were delivered. */
void outcome_note_loss(struct target *t, int64_t from_ms, int64_t until_ms);

#endif

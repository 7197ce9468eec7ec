#ifndef SERVER_HOOKS_TARGET_H
#define SERVER_HOOKS_TARGET_H

#include "server/hooks/feed.h"
#include "server/hooks/retries.h"
#include "server/hooks/shared.h"

/* One endpoint: reads the log of its project, posts the events that match its filters, and moves
 * events that it did not accept to the retries. It has a bounded number of posts in memory; the
 * others wait in the log. */

struct target {
	struct target *next; /* of the engine's list */
	struct hooks_shared *shared;
	struct endpoint endpoint;
	char project_id[ID_LEN + 1];
	struct share *share;       /* of the project */
	char *secret, *old_secret; /* NULL: cannot be decrypted; none */
	struct feed **feeds;       /* one a partition */
	size_t n_feeds, next_feed;
	struct event_log_place start;    /* of partitions without a cursor in the store */
	struct post_list waiting, tests; /* to send: events of the log, and tests */
	struct post *flying;
	size_t in_flight, tests_in_flight; /* all requests; the tests among them */
	unsigned window; /* requests at the same time: halved by a timeout, plus 1 by a success */
	struct retries retries;
	int64_t delivered_ms; /* Redis time of the last success; 0: none yet */
	bool is_failing;      /* the last request failed */
	bool is_listed;       /* it was in the last load */
	bool is_gone;         /* deleted or disabled: freed when it is idle */
};

/* Moves the endpoint out of *take. NULL: out of memory. */
struct target *target_new(struct hooks_shared *shared, struct deliveries_endpoint *take);
/* Updates the endpoint after a load. loaded_after: the last batch that was committed before it. */
void target_update(struct target *t, struct deliveries_endpoint *take, uint64_t loaded_after);
void target_free(struct target *t);
/* True if no read and no request is open: it may be freed. */
bool target_is_idle(const struct target *t);
/* Does all that is possible now: sends posts, reads due retries, reads the log. */
void target_go_on(struct target *t);
/* Reads also partitions that were added. -1: out of memory; call it again. */
int target_read_new_partitions(struct target *t);
/* The log has entries after the read position. */
void target_hear_news(struct target *t, unsigned partition);
/* Queues a webhook.test. With too many of them, writes a refusal as the result. */
void target_send_test(struct target *t, const char *event_id, const char *project_id);
/* Stops. Waiting posts are dropped (their events stay in the store); open requests continue to
 * their end. */
void target_close(struct target *t);

#endif

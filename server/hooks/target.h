#ifndef SERVER_HOOKS_TARGET_H
#define SERVER_HOOKS_TARGET_H

#include "server/hooks/feed.h"
#include "server/hooks/retries.h"
#include "server/hooks/shared.h"

/* Posts in order. */
struct post_list {
	struct post *first, **last;
	size_t n;
};

/* One endpoint: reads its project's log, posts the events that it wants, sets those aside that it
 * does not take. In memory it holds a bounded number of posts; the rest waits in the log. */

struct target {
	struct target *next; /* of the engine's list */
	struct hooks_shared *shared;
	struct endpoint endpoint;
	char project_id[ID_LEN + 1];
	char *secret, *old_secret; /* NULL: cannot be opened; none */
	struct feed *feeds;        /* one a partition */
	size_t n_feeds, next_feed;
	struct post_list waiting, tests; /* to send: events of the log, and tests */
	struct post *flying;
	size_t in_flight, tests_in_flight; /* all; tests among them */
	unsigned window; /* requests at once: halved by each time-out, one more by each success */
	struct retries retries;
	int64_t delivered_ms; /* Redis time of the last success; 0: none yet */
	bool is_failing;      /* the last request failed */
	bool is_listed;       /* in the last load */
	bool is_gone;         /* deleted or disabled: freed when it is idle */
};

/* Takes the endpoint from *take. NULL: out of memory. */
struct target *target_new(struct hooks_shared *shared, struct deliveries_endpoint *take);
/* The endpoint as it was loaded now; loaded_after: the last batch that this load could see. */
void target_update(struct target *t, struct deliveries_endpoint *take, uint64_t loaded_after);
void target_free(struct target *t);
/* Nothing is under way: it may be freed. */
bool target_is_idle(const struct target *t);
/* Sends, retries and reads whatever may be done now. */
void target_go_on(struct target *t);
/* The log has entries after the read position. */
void target_hear_news(struct target *t, unsigned partition);
/* Posts a webhook.test, soon. With too many of them it writes a refusal as the result. */
void target_send_test(struct target *t, const char *event_id, const char *project_id);
/* Stops: what waits is dropped (it stays in the store), what is under way ends. */
void target_close(struct target *t);

#endif

#ifndef SERVER_HOOKS_ENGINE_H
#define SERVER_HOOKS_ENGINE_H

#include <stdbool.h>

#include "server/config/config.h"
#include "server/base/loop.h"
#include "server/fetch/fetch.h"
#include "server/store/projects/deliveries.h"
#include "server/store/messages/cursor.h"

/* What the files of this folder know of each other.
 *
 *	role.c      the process
 *	engine.c    the lease, which endpoints there are, what goes to the store
 *	target.c    one endpoint: reads its project's log, keeps its window
 *	retries.c   what it did not take at first
 *	post.c      one POST: body, signature, what the answer means */

#define UNMET_MAX 16
#define UNMET_LEN 128

struct engine {
	const struct config *config;
	struct loop *loop;
	struct redis *redis;
	struct fetch *fetch; /* NULL: what was under way is given up, to be told again */
	char owner[ID_LEN + 1];
	bool is_active; /* has the lease */
	bool is_stopping;
	bool has_given_up; /* the last batch is on its way, and the lease with it */
	bool is_loading;
	unsigned looks_open, next_look;
	struct target *targets;
	int64_t version, load_at, test_at, renew_at, give_up_at;
	size_t in_flight;
	struct deliveries_batch batch;
	bool is_committing;
	uint64_t batch_number,
		committed;  /* the batch that is filled; the last that is in the store */
	uint64_t loaded_at; /* what was committed when the last load began */
	char unmet[UNMET_MAX][UNMET_LEN]; /* tests of endpoints that are not loaded yet */
	size_t n_unmet;
	int64_t unmet_until;
	struct loop_timer tick;
	void (*stopped)(void *);
	void *stopped_arg;
};

int engine_start(struct engine *e, struct err *why);
void engine_stop(struct engine *e); /* stopped() when all is done */
void engine_free(struct engine *e);

/* An entry of the log whose events are not all delivered, or set aside, yet. */
struct entry {
	struct entry *next;
	struct event_log_place at;
	size_t n_open;
};

struct target;

/* A partition's log as far as one endpoint is concerned. */
struct feed {
	struct target *target;
	unsigned partition;
	struct event_log_place read; /* up to here */
	struct entry *first, **last;
	bool is_reading, has_news;
};

struct target {
	struct engine *engine;
	struct target *next;
	struct endpoint endpoint;
	char project_id[ID_LEN + 1];
	char *secret, *old_secret; /* NULL: cannot be opened; none */
	struct feed *feeds;
	size_t n_feeds, next_feed;
	struct post *waiting, **last_waiting;
	size_t n_waiting, in_flight;
	struct post *flying;
	unsigned window; /* deliveries at once: halved by a time-out */
	size_t n_retries;
	size_t n_retries_open; /* asked for, or under way */
	int64_t seen_ms;       /* when those were due, in Redis time */
	uint64_t retries_in;   /* the batch that has the last change of the retries */
	int64_t retry_at;
	int64_t good_ms; /* when something got through last */
	bool is_failing;
	bool is_listed; /* in the last load */
	bool is_gone;   /* deleted or disabled: goes when nothing is under way */
};

struct target *target_new(struct engine *e, struct deliveries_endpoint *take);
void target_update(struct target *t, struct deliveries_endpoint *take);
void target_free(struct target *t);
/* Sends, reads, retries: whatever may be done now. */
void target_go_on(struct target *t);
void target_hear_news(struct target *t, unsigned partition);
/* The endpoint takes nothing any more. */
void target_close(struct target *t);
/* The same, and its owner is told why. */
void target_disable(struct target *t, const char *reason);
/* Events of that time were not delivered when their retention ended. */
void target_lost(struct target *t, int64_t from_ms, int64_t until_ms);
/* An event of entry (NULL: of none) was delivered, or set aside. */
void target_ended(struct target *t, struct entry *entry, unsigned partition);
/* As GET /v1/events has it. With several partitions it is not known, as it takes a place in each:
 * nothing is written. */
void target_write_cursor(const struct target *t, const struct cursor_position *place,
			 struct buf *out);
/* cursor: NULL: none is shown. NULL: the event cannot be shown. */
struct post *target_make_post(struct target *t, const char *message, const struct record *record,
			      const struct record_event *ev, const char *cursor);

/* ---- retries.c ---- */

void retries_go_on(struct target *t);
/* Sets an event aside for later. */
void retries_add(struct target *t, int64_t due_ms, const char *member);
/* A retry is no longer under way. */
void retries_ended(struct target *t);
/* So many there were in the store at the last load. */
void retries_count(struct target *t, size_t n);

/* ---- post.c ---- */

struct post {
	struct post *next;
	struct target *target;
	struct entry *entry; /* NULL: a retry, or a test */
	unsigned partition;
	unsigned tries; /* before this one */
	char message[ID_LEN + 1];
	unsigned n;
	char id[48]; /* evt_... */
	char type[32];
	char *body;
	int64_t at_ms; /* of the event */
	bool is_retry, is_test;
};

/* body: the caller's text, taken. */
struct post *post_new(struct target *t, const char *message, unsigned n, char *take_body);
void post_free(struct post *d);
void post_send(struct post *take);
/* "<tries> <message> <n>" */
#define MEMBER_MAX 64
int post_read_member(const char *member, unsigned *tries, char message[ID_LEN + 1], unsigned *n);

#endif

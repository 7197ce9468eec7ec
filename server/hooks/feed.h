#ifndef SERVER_HOOKS_FEED_H
#define SERVER_HOOKS_FEED_H

#include "server/hooks/post.h"
#include "server/hooks/shared.h"
#include "server/store/messages/event_cursor.h"
#include "server/store/messages/event_log.h"

/* The reader of one partition of a project's event log, for one endpoint. A feed has a read
 * position in memory and a cursor in the store. The cursor passes an entry when all its posts have
 * ended. */

struct endpoint;
struct feed;

/* An entry of the log with posts that have not ended. */
struct entry {
	struct entry *next;
	struct event_log_place at;
	size_t n_open;
};

struct feed_handler {
	/* Makes the post for one event; NULL: none. position: where a reader continues after the
	 * event. */
	struct post *(*make)(struct feed *f, const struct event_log_event *event,
			     const struct event_cursor *position);
	/* Takes the posts of an entry, in order. */
	void (*take)(struct feed *f, struct post *take_posts);
	/* The retention removed the events of this time before they were read. */
	void (*lost)(struct feed *f, int64_t from_ms, int64_t until_ms);
	/* A read has ended. */
	void (*rest)(struct feed *f);
};

struct feed {
	struct hooks_shared *shared;
	const struct endpoint *endpoint;
	const struct feed_handler *handler;
	void *arg; /* the handler's */
	unsigned partition;
	struct event_log_place read_position; /* the last entry that was read */
	struct entry *first, **last;
	bool is_reading, has_news;
	bool is_closed; /* the result of an open read is dropped */
};

/* after: the cursor in the store. */
void feed_init(struct feed *f, struct hooks_shared *shared, const struct endpoint *endpoint,
	       unsigned partition, const struct event_log_place *after);
void feed_deinit(struct feed *f);
/* Reads the next entries. */
void feed_read(struct feed *f);
/* A post of entry was delivered or moved to the retries. entry NULL does nothing. */
void feed_end_post(struct feed *f, struct entry *entry);

#endif

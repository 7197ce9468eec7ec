#ifndef SERVER_HOOKS_RETRIES_H
#define SERVER_HOOKS_RETRIES_H

#include "server/base/id.h"
#include "server/hooks/shared.h"
#include "server/store/messages/record.h"

/* The events that an endpoint did not take and that wait in the store for another try. Keeps count
 * of them and reads those that are due; what happens with them is the caller's decision. */

struct endpoint;

/* A retry as the store keeps it: a member of a sorted set, "<tries> <message> <sequence>". */
#define RETRY_MEMBER_MAX 64
struct retry {
	unsigned tries; /* before this one */
	char message[ID_LEN + 1];
	unsigned sequence;
};
int retry_read(const char *member, struct retry *out);
void retry_write(const struct retry *r, char out[RETRY_MEMBER_MAX]);

/* What the caller did with a retry that is due. */
enum retries_verdict {
	RETRIES_SENT, /* retries_end follows when its result is known */
	RETRIES_WAIT, /* nothing: it stays due */
	RETRIES_OVER, /* it was removed from the store */
};
/* record NULL: it cannot be read, and why says why. Borrowed for the call. */
typedef enum retries_verdict retries_fn(const struct retry *r, const struct record *record,
					const struct err *why, void *arg);

struct retries {
	struct hooks_shared *shared;
	const struct endpoint *endpoint;
	retries_fn *fn;
	void *arg;
	size_t n;            /* in the store, as far as is known */
	size_t n_open;       /* asked for, or under way */
	int64_t seen_ms;     /* Redis time up to which the store was asked for those that are due */
	int64_t look_at;     /* monotonic ms: not before */
	uint64_t changed_in; /* number of the batch that has the last change */
};

void retries_init(struct retries *r, struct hooks_shared *shared, const struct endpoint *endpoint,
		  retries_fn *fn, void *arg);
/* Reads at most `max` that are due, unless some are open; fn fires once for each. */
void retries_go_on(struct retries *r, size_t max);
/* Sets an event aside until due_ms, in Redis time. */
void retries_add(struct retries *r, int64_t due_ms, const struct retry *retry);
/* Takes one that was due off. is_delivered: also all others of the same event. */
void retries_remove(struct retries *r, const struct retry *retry, bool is_delivered);
/* One that was sent has its result. */
void retries_end(struct retries *r);
/* The store had n at the last load, when batch `loaded_after` was the last committed. */
void retries_count(struct retries *r, size_t n, uint64_t loaded_after);

#endif

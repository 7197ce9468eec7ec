#ifndef SERVER_HOOKS_RETRIES_H
#define SERVER_HOOKS_RETRIES_H

#include "server/base/id.h"
#include "server/hooks/shared.h"
#include "server/store/messages/record.h"

/* The events that wait in the store for another try, because the endpoint did not accept them.
 * Counts them and reads those that are due. The caller decides what happens with them. */

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

/* What the caller did with a due retry. */
enum retries_verdict {
	RETRIES_SENT, /* retries_end follows when its result is known */
	RETRIES_WAIT, /* nothing: it stays due */
	RETRIES_OVER, /* it was removed from the store */
};
/* record is borrowed for the call. NULL: it cannot be read, and why has the reason. */
typedef enum retries_verdict retries_fn(const struct retry *r, const struct record *record,
					const struct err *why, void *arg);

struct retries {
	struct hooks_shared *shared;
	const struct endpoint *endpoint;
	retries_fn *fn;
	void *arg;
	size_t n;            /* in the store, as known here */
	size_t n_open;       /* being read, or sent without a result */
	int64_t seen_ms;     /* Redis time up to which due retries were read */
	int64_t look_at;     /* monotonic ms: earliest next read */
	uint64_t changed_in; /* number of the batch with the last change */
};

/* shared and endpoint are borrowed. fn fires after retries_go_on has returned. */
void retries_init(struct retries *r, struct hooks_shared *shared, const struct endpoint *endpoint,
		  retries_fn *fn, void *arg);
/* Reads at most `max` due retries, unless some are open; fn fires once for each. */
void retries_go_on(struct retries *r, size_t max);
/* Adds an event to the retries, due at due_ms in Redis time. */
void retries_add(struct retries *r, int64_t due_ms, const struct retry *retry);
/* Removes a retry that was due. is_delivered: removes all others of the same event, too. */
void retries_remove(struct retries *r, const struct retry *retry, bool is_delivered);
/* A retry that was sent has its result. */
void retries_end(struct retries *r);
/* Sets the count to n, the number in the store at the last load. loaded_after: the last batch that
 * was committed before that load; if a later batch changed the retries, n is ignored. */
void retries_count(struct retries *r, size_t n, uint64_t loaded_after);

#endif

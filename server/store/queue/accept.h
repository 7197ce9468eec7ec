#ifndef SERVER_STORE_QUEUE_ACCEPT_H
#define SERVER_STORE_QUEUE_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/id.h"
#include "server/store/messages/lane.h"
#include "server/store/messages/choices.h"

struct redis;

/* Accepts messages. All messages of one loop turn go to Redis in one call of lua/queue/accept.lua.
 * Each partition has at most two calls in flight, one on each connection. */

/* Used instead of a tenant for test messages of Postern itself: no project sees the message, and no
 * metric counts it as mail. */
#define ACCEPT_NO_PROJECT "0"

struct accept_request {
	struct id id;        /* id_make("msg", accept_partition(...)) */
	const char *project; /* the tenant, as in struct key */
	bool is_test;
	int64_t max_messages; /* that the project may have unfinished; 0: no limit */
	int64_t max_bytes;    /* that its messages may take: lua/lib/change.lua */
	enum lane lane;
	struct message_choices choices;
	const char *sender;        /* envelope sender, never empty */
	const char *const *emails; /* envelope recipients, no two equal */
	size_t n_emails;
	int64_t within_ms;       /* deadline, from acceptance (or from not_before) */
	int64_t not_before_ms;   /* real time ms; 0 = now */
	const char *idempotency; /* hash of the Idempotency-Key, hex, or NULL */
	const char *fingerprint; /* hash of method, path and body, hex */
	const char *facts; /* what GET shows of the message and never changes: one line of JSON, <
			    * 64 KB, an object that is not empty */
	const char *tags;  /* one on each line; NULL: none */
	const char *mail;  /* final bytes */
	size_t mail_len;
};

enum accept_status {
	ACCEPT_COMMITTED,       /* committed: on disk with durability fsync, and at a replica with
				   replicated */
	ACCEPT_REPLAYED,        /* key and fingerprint are those of an earlier message: id */
	ACCEPT_CONFLICT,        /* the key was used with another fingerprint */
	ACCEPT_QUEUE_FULL,      /* it would exceed max_messages or max_bytes; why has the figures */
	ACCEPT_NOT_ACCEPTED,    /* nothing was stored; why has the reason */
	ACCEPT_OUTCOME_UNKNOWN, /* Redis was lost during the call and has not come back */
};

/* id: of this message, or of the one that was accepted before. at_ms: Redis's time. suppressed: the
 * numbers of the recipients that are suppressed, as a JSON array; "": none. The facts keep it under
 * this name. */
typedef void accept_fn(enum accept_status status, const char *id, int64_t at_ms,
		       const char *suppressed, const struct err *why, void *arg);

/* Chooses the partition of a new message: by the hash of project and Idempotency-Key, or at random
 * among those that take mail now without a key. */
unsigned accept_partition(const struct redis *redis, const char *project, const char *idempotency);

/* Copies the request. fn fires exactly once, after the call has returned, within 15 s. */
void accept_message(struct redis *redis, const struct accept_request *m, accept_fn *fn, void *arg);

#endif

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

/* The queue's transitions, in batches: what is asked in one loop turn goes to Redis in one script
 * call (lua/accept.lua, dot.lua ...), one call in flight a connection. */

/* ---- accept ---- */

/* In place of a tenant: a message that nobody sees and that counts as no mail. */
#define ACCEPT_NO_PROJECT "0"

struct accept_request {
	struct id id;        /* id_make("msg", accept_partition(...)) */
	const char *project; /* the tenant, as in struct key */
	bool is_test;
	enum lane lane;
	struct message_choices choices;
	const char *sender;        /* envelope sender, never empty */
	const char *const *emails; /* envelope recipients, no two equal */
	size_t n_emails;
	int64_t within_ms;       /* deadline, from acceptance (or from not_before) */
	int64_t not_before_ms;   /* real time ms; 0 = now */
	const char *idempotency; /* hash of the Idempotency-Key, hex, or NULL */
	const char *fingerprint; /* hash of method, path and body, hex */
	const char *facts; /* one line of JSON, < 64 KB, an object that is not empty: what GET shows
			    * of the message; frozen */
	const char *tags;  /* a line each; NULL: none */
	const char *mail;  /* final bytes */
	size_t mail_len;
};

enum accept_status {
	ACCEPT_COMMITTED,       /* committed and, with durability fsync, on disk */
	ACCEPT_REPLAYED,        /* the same key and fingerprint were accepted before, as id */
	ACCEPT_CONFLICT,        /* the key was used with another fingerprint */
	ACCEPT_NOT_ACCEPTED,    /* definitely nothing stored: store down, late, or full (err says
				 * which)
				 */
	ACCEPT_OUTCOME_UNKNOWN, /* the store vanished in the middle and has not come back */
};

/* id: of the message that stands (its own, or the one that was accepted before); at_ms: Redis time.
 * suppressed: of an accepted one, the numbers of the recipients that end at once, as a JSON array;
 * "": none. The facts keep it under that name. */
typedef void accept_fn(enum accept_status status, const char *id, int64_t at_ms,
		       const char *suppressed, const struct err *why, void *arg);

/* Which partition a message goes to: by hash of project and Idempotency-Key where there is one,
 * else at random. */
unsigned accept_partition(const struct redis *redis, const char *project, const char *idempotency);

/* Copies all it needs. fn fires exactly once, never from within, within 15 s. */
void accept_message(struct redis *redis, const struct accept_request *m, accept_fn *fn, void *arg);

#endif

#ifndef SERVER_STORE_MESSAGES_TRANSCRIPTS_H
#define SERVER_STORE_MESSAGES_TRANSCRIPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/store/messages/attempt.h"
#include "server/store/messages/record.h"

struct buf;
struct redis;

/* The attempts of a message: their lines, which settle writes into the record, and the transcripts
 * of those that failed, which lie beside it in t:<id>, as many as the record keeps of the others
 * (20), and as long as the record. */

#define ATTEMPTS_TEXT_MAX ((size_t)64 << 10)  /* of a transcript */
#define ATTEMPTS_PACKED_MAX ((size_t)8 << 10) /* of it in the store */

/* Packs lines of text; what would make it too long is left out of its middle, with a word about it.
 * ERR_INTERNAL: out of memory. */
int transcripts_pack(const char *text, size_t len, struct buf *out, struct err *e);

/* Keeps a packed transcript, once its attempt is settled, at best: what the store cannot take at
 * once, because it is out of memory or away, is dropped and counted. */
void transcripts_keep(struct redis *redis, const char *ref, int64_t epoch, const char *packed,
		      size_t len);
/* Transcripts that are on their way: a draining relay waits for 0. */
size_t transcripts_unanswered(struct redis *redis);

struct transcripts_one {
	unsigned number; /* of the tries of its recipients, from 1 */
	const struct record_attempt *in_record;
	bool is_known; /* false: the relay died, and facts is empty */
	struct attempt facts;
	const char *transcript; /* lines of UTF-8, each with its LF; NULL = none kept */
	size_t transcript_len;
	char scratch[ATTEMPT_MAX]; /* private */
};

/* Oldest first. record NULL: as messages_fn. All is borrowed for the call; fn fires exactly once,
 * within 15 s. */
typedef void transcripts_fn(const struct record *record, const struct transcripts_one *attempts,
			    size_t n, const struct err *why, void *arg);
void transcripts_get(struct redis *redis, const char *project, const char *id, transcripts_fn *fn,
		     void *arg);

#endif

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

/* The attempts of a message. Their lines are in the record, written by settle. The transcripts of
 * failed attempts are in the list t:<id>. Record and list keep the last 20 attempts each, and live
 * equally long. */

#define ATTEMPTS_TEXT_MAX ((size_t)64 << 10)  /* of a transcript */
#define ATTEMPTS_PACKED_MAX ((size_t)8 << 10) /* of it in the store */

/* Packs lines of text and appends them to out. If the text is too long, its middle is replaced by a
 * line that says so. ERR_INTERNAL: out of memory. */
int transcripts_pack(const char *text, size_t len, struct buf *out, struct err *e);

/* Stores a packed transcript after its attempt was settled. Best effort: if Redis refuses it, it is
 * dropped and counted. */
void transcripts_keep(struct redis *redis, const char *ref, int64_t epoch, const char *packed,
		      size_t len);
/* The number of transcripts without a reply; a draining relay waits for 0. */
size_t transcripts_unanswered(struct redis *redis);

struct transcripts_one {
	unsigned number; /* of the attempts of its recipients, from 1 */
	const struct record_attempt *in_record;
	bool is_known; /* false: the relay died, and facts is empty */
	struct attempt facts;
	const char *transcript; /* lines of UTF-8, each with its LF; NULL = none kept */
	size_t transcript_len;
	char scratch[ATTEMPT_MAX]; /* private */
};

/* Oldest first; borrowed for the callback. record NULL: as messages_fn. fn fires exactly once,
 * after the call has returned, within 15 s. */
typedef void transcripts_fn(const struct record *record, const struct transcripts_one *attempts,
			    size_t n, const struct err *why, void *arg);
void transcripts_get(struct redis *redis, const char *project, const char *id, transcripts_fn *fn,
		     void *arg);

#endif

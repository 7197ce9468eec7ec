#ifndef SERVER_STORE_QUEUE_JOB_H
#define SERVER_STORE_QUEUE_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/store/messages/record.h"

struct redis;
struct resp;

/* A job: the recipients of one message at one destination, leased to one relay. */

#define JOB_REF_MAX 40 /* with the NUL: message id and 3 hex digits, the job's number */

struct job {
	char ref[JOB_REF_MAX];
	int64_t epoch; /* of the lease; each lease of a job has a higher one */
	char site[256];
	unsigned number;      /* of the job in its message */
	struct record record; /* of the message; this job's recipients have .job == number */
	char *mail;           /* final bytes; NULL while they are in chunks: job_fetch */
	size_t mail_len;
	int64_t lease_until_ms; /* monotonic. Later than this the relay must not send the final dot
				   without a new fence (lease.h) */
};
void job_free(struct job *j);
/* "msg_..." of the job. */
const char *job_message(const struct job *j, char out[31]);
/* The partition of a job reference. */
unsigned job_partition(const char *ref);

/* Reads a job from the reply of the take script, TAKE_JOB_WORDS items from `at` on. Free it by
 * job_free. NULL: damaged (logged), or out of memory; its lease then expires. */
struct job *job_read(const struct resp *array, size_t at, int64_t lease_until_ms);

/* Reads the mail of a job whose content is in chunks. why NULL: j->mail is set. ERR_NOT_FOUND: a
 * chunk is missing. ERR_INTERNAL: the content is damaged. ERR_RETRY: the process is stopping. */
typedef void job_fetch_fn(const struct err *why, void *arg);
void job_fetch(struct redis *redis, struct job *j, job_fetch_fn *fn, void *arg);

#endif

#ifndef SERVER_FETCH_FETCH_H
#define SERVER_FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct loop;

/* HTTP POSTs to servers that users name, on our loop. One a process, after the fork.
 *
 * A redirect is not followed: a 3xx is a response. No proxy of the environment is used, nothing is
 * decompressed, certificates are checked. Unless allow_private, only globally reachable addresses
 * are connected to; the address itself is checked, so a name cannot lead elsewhere. libcurl
 * resolves names in threads: the loop does not wait for them. */

struct fetch;

struct fetch_options {
	bool allow_private;
	const char *ca_file; /* PEM, in place of the system's authorities; NULL: those. Borrowed. */
	size_t max_connections;
};
/* ERR_INPUT: ca_file cannot be read. */
int fetch_open(struct fetch **f, struct loop *loop, const struct fetch_options *o, struct err *e)
	__attribute__((warn_unused_result));
/* Cancels all calls: their callbacks do not fire. NULL does nothing. */
void fetch_close(struct fetch *f);

struct fetch_request {
	const char *url;            /* checked by fetch_url_check */
	const char *const *headers; /* "Name: value", ended by NULL */
	const void *body;
	size_t body_len;
	int64_t timeout_ms; /* for the whole call */
	size_t answer_max;  /* most octets of the response's body; the rest is not read */
};

struct fetch_answer {
	int status;        /* 0 = no response came; error says why */
	const char *error; /* a sentence; "" if there is a status */
	const char *body;  /* as far as it came, at most answer_max; any octets */
	size_t body_len;
	int64_t retry_after_ms; /* Retry-After, at most a day; -1 = none */
	int64_t ms;             /* how long the call took */
	bool is_timeout;
};

/* answer is borrowed for the call. */
typedef void fetch_fn(const struct fetch_answer *answer, void *arg);
/* Copies all that it needs. fn fires exactly once, never from within this call. ERR_INTERNAL: out
 * of memory; fn does not fire. */
int fetch_post(struct fetch *f, const struct fetch_request *q, fetch_fn *fn, void *arg,
	       struct err *e) __attribute__((warn_unused_result));

/* Reads Retry-After (RFC 9110 10.2.3), seconds or a date: milliseconds from now_s, at most a day;
 * -1 for anything else. */
int64_t fetch_retry_after(const char *text, int64_t now_s);

#endif

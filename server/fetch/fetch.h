#ifndef SERVER_FETCH_FETCH_H
#define SERVER_FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct loop;

/* HTTP POSTs to strangers, in our loop. One a process, after the fork.
 *
 * No redirect is followed (a 3xx is an answer), no proxy of the environment is used, nothing is
 * decompressed, certificates are checked. Unless allow_private, a connection to an address that is
 * not globally reachable is refused where the socket is made, so neither a name that resolves to
 * one nor a second resolution gets there. Names are resolved in threads of libcurl's: the loop does
 * not wait for them. */

struct fetch;

struct fetch_options {
	bool allow_private;
	const char *ca_file; /* PEM, in place of the system's authorities; NULL: those. Borrowed. */
	size_t max_connections;
};
int fetch_open(struct fetch **f, struct loop *loop, const struct fetch_options *o, struct err *e);
/* Ends all calls without a word. */
void fetch_close(struct fetch *f);

struct fetch_request {
	const char *url;            /* checked by fetch_url_check */
	const char *const *headers; /* "Name: value", ended by NULL */
	const void *body;
	size_t body_len;
	int64_t timeout_ms; /* for all of it */
	size_t answer_max;  /* what comes behind so many octets is not read */
};

struct fetch_answer {
	int status;        /* of the answer; 0: none came, and error says why */
	const char *error; /* a sentence, "" with a status */
	const char *body;  /* what of it came, up to answer_max; any octets */
	size_t body_len;
	int64_t retry_after_ms; /* -1: not said; at most a day */
	int64_t ms;             /* from begin to end */
	bool is_timeout;
};

/* Borrowed for the call. fn fires exactly once, never from within. */
typedef void fetch_fn(const struct fetch_answer *answer, void *arg);
/* Copies all it needs. */
void fetch_post(struct fetch *f, const struct fetch_request *q, fetch_fn *fn, void *arg);

/* Retry-After (RFC 9110 10.2.3): seconds or a date; -1 for anything else; at most a day. */
int64_t fetch_retry_after(const char *text, int64_t now_s);

#endif

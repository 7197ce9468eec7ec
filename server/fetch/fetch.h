#ifndef SERVER_FETCH_FETCH_H
#define SERVER_FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct loop;

/* An HTTP client for POSTs to servers that users name, on our loop. One per process; open it after
 * the fork.
 *
 * Redirects are not followed: a 3xx is a response. Proxies of the environment are not used,
 * responses are not decompressed, certificates are checked. Without allow_private, it connects only
 * to globally reachable addresses. It checks the address itself, so a name cannot lead to a private
 * one. libcurl resolves names in threads, and the loop does not wait for them. */

struct fetch;

struct fetch_options {
	bool allow_private;
	const char *ca_file; /* PEM; NULL: the system's authorities. Borrowed. */
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
	int64_t timeout_ms;  /* for the whole call */
	size_t response_max; /* most octets of the response body; the rest is not read */
};

struct fetch_response {
	int status;        /* 0 = no response came; error says why */
	const char *error; /* a sentence; "" if there is a status */
	const char *body;  /* the received part, at most response_max; any octets */
	size_t body_len;
	int64_t retry_after_ms; /* Retry-After, at most a day; -1 = none */
	int64_t ms;             /* how long the call took */
	bool is_timeout;
};

/* response is borrowed for the call. */
typedef void fetch_fn(const struct fetch_response *response, void *arg);
/* Copies the request. fn fires exactly once, after this function has returned. ERR_INTERNAL: out of
 * memory; fn does not fire. */
int fetch_post(struct fetch *f, const struct fetch_request *q, fetch_fn *fn, void *arg,
	       struct err *e) __attribute__((warn_unused_result));

/* Reads Retry-After (RFC 9110 10.2.3), seconds or a date: milliseconds from now_s, at most a day;
 * -1 for anything else. */
int64_t fetch_retry_after(const char *text, int64_t now_s);

#endif

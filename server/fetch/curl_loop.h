#ifndef SERVER_FETCH_CURL_LOOP_H
#define SERVER_FETCH_CURL_LOOP_H

#include <stddef.h>

#include <curl/curl.h>

#include "server/base/loop.h"

/* A multi handle of libcurl that runs on our loop: libcurl says which sockets and which timer it
 * wants, and the loop calls it when they are ready. */

/* A transfer has ended. The callback removes its handle from the multi handle. It fires from the
 * loop, never within a call of libcurl, so it may begin and end transfers. */
typedef void curl_loop_fn(CURL *curl, CURLcode code);

struct curl_loop {
	CURLM *multi; /* transfers are added and removed here */
	struct loop *loop;
	struct loop_timer timer;
	struct loop_post done;
	curl_loop_fn *fn;
};

/* max_connections: idle connections that are kept for later transfers. -1: out of memory; deinit
 * frees what was made. It must not be moved afterwards. */
int curl_loop_init(struct curl_loop *l, struct loop *loop, size_t max_connections, curl_loop_fn *fn)
	__attribute__((warn_unused_result));
/* All transfers must be removed first. A zeroed value does nothing. */
void curl_loop_deinit(struct curl_loop *l);

#endif

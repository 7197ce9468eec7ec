#ifndef SERVER_STORE_QUEUE_REST_H
#define SERVER_STORE_QUEUE_REST_H

struct redis;

/* No host of the site can be reached: no relay connects to it for a while, longer after each
 * failure in a row. code: of the server's reply, 0 = there was none. why: the reason, for the
 * events of jobs that are deferred meanwhile. */
void rest_site(struct redis *redis, const char *site, int code, const char *why);

#endif

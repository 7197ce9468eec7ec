#ifndef SERVER_STORE_QUEUE_REST_H
#define SERVER_STORE_QUEUE_REST_H

struct redis;

/* Call it when no host of the site can be reached. No relay connects to the site for a while,
 * longer after each failure in a row. code: of the server's reply, 0 = none. why: the reason; it
 * becomes the text of jobs that are deferred meanwhile. Errors are not reported. */
void rest_site(struct redis *redis, const char *site, int code, const char *why);

#endif

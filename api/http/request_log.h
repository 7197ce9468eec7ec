#ifndef API_HTTP_REQUEST_LOG_H
#define API_HTTP_REQUEST_LOG_H

struct request;

/* Counts and logs a request that ended, with or without a response. */
void request_log_end(const struct request *r);

#endif

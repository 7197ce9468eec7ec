#ifndef API_HTTP_SWEEP_H
#define API_HTTP_SWEEP_H

/* The tick of a struct http_server: closes slow connections, sets the next tick. */
void sweep_run(void *server);

#endif

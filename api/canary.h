#ifndef API_CANARY_H
#define API_CANARY_H

#include <stdbool.h>

struct api;

/* A test message that a Postern with the roles api and relay sends to itself once after its start:
 * through accept, queue, relay and built-in inbox, as mail of a test key. It belongs to no project,
 * so no key sees it, and it is not counted as mail. One arrival proves all API processes of this
 * Postern, also those started later by a reload or after a crash. */

/* Sends it when Redis is ready. If it does not arrive within 10 s, sends another one. One struct
 * api for each process. -1: out of memory. */
int canary_start(const struct api *api);
void canary_stop(void);

/* False until one has arrived; then *why is set to a static text for the operator. */
bool canary_holds(const char **why);

#endif

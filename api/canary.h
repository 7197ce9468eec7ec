#ifndef API_CANARY_H
#define API_CANARY_H

#include <stdbool.h>

struct api;

/* A message of our own, once after the start of a postern with the roles api and relay: through
 * accept, queue, relay and built-in inbox, as mail of a test key goes. It is of no project: nobody
 * sees it, and it counts as no mail. One API process of this postern that sees it arrive will do
 * for all, and for those that come after a reload or a crash. */

/* Sends it as soon as the store is ready, and again 10 s after one that did not arrive. One API a
 * process. */
void canary_start(const struct api *api);
void canary_stop(void);

/* False until it arrived. why gets a sentence for an operator. */
bool canary_holds(const char **why);

#endif

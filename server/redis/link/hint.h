#ifndef SERVER_REDIS_LINK_HINT_H
#define SERVER_REDIS_LINK_HINT_H

#include <stdbool.h>

/* What an operator can do about a connection that could not be made: about TLS or the lack of it.
 * why: as the stream gave it. NULL: nothing is known. */
const char *hint_about_tls(const char *why, bool is_tls, bool has_replied);

#endif

#ifndef API_ONCE_H
#define API_ONCE_H

#include <stdbool.h>

#include "api/http/request.h"
#include "server/base/id.h"
#include "server/base/seal.h"

/* The Idempotency-Key of requests that make something other than a message. A request with a key
 * that was used before gets the first response again, with Idempotent-Replayed: true. Only a 2xx is
 * kept. After a 4xx the key is free again. After a 5xx or a crash, the next request with the key
 * gets the seed of the first one. */

/* From which a request makes its ids and secrets. The same in each try with one Idempotency-Key, so
 * a later try makes the same thing. */
struct once_seed {
	char body[ID_LEN - 3];              /* of ids: 26 characters */
	unsigned char secret[SEAL_DERIVED]; /* random octets */
};

struct id once_id(const struct once_seed *seed, const char *prefix);

/* seed is borrowed for the call. */
typedef void once_fn(struct request *r, const struct once_seed *seed);
/* Calls make, at once or after the key is claimed; or responds itself. has_secret: the response
 * shows a secret, so it is kept sealed, and without POSTERN_SECRET the header is refused (503
 * not-configured). */
void once_run(struct request *r, bool has_secret, once_fn *make);

#endif

#ifndef SERVER_CLI_PROBE_H
#define SERVER_CLI_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/config/config.h"
#include "server/base/err.h"

/* One GET request to the API of the Postern that runs with this configuration on this machine, at
 * its first address. Blocks; it has a loop of its own. */

#define PROBE_BODY_MAX 2048

struct probe_response {
	int status;                /* 100-599 */
	char body[PROBE_BODY_MAX]; /* truncated */
};

/* is_metrics: at the first address of POSTERN_METRICS_LISTEN instead, which must not be off.
 * With HTTPS any certificate is accepted, because the peer is this machine. ERR_RETRY: no response
 * within limit_ms; ERR_REFUSED: the response is not HTTP. */
int probe_get(const struct config *config, bool is_metrics, const char *path, int64_t limit_ms,
	      struct probe_response *response, struct err *e) __attribute__((warn_unused_result));

#endif

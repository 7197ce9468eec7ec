#ifndef SERVER_CLI_PROBE_H
#define SERVER_CLI_PROBE_H

#include <stdint.h>

#include "server/config/config.h"
#include "server/base/err.h"

/* One question to the API that a postern with this configuration runs on this machine, at its first
 * address. Blocks, with a loop of its own. */

#define PROBE_BODY_MAX 2048

struct probe_answer {
	int status;                /* 100-599 */
	char body[PROBE_BODY_MAX]; /* cut to fit */
};

/* GET path. Over HTTPS any certificate will do: this is our own loopback. ERR_RETRY: nobody answers
 * within limit_ms; ERR_REFUSED: whoever answers does not speak HTTP. */
int probe_get(const struct config *config, const char *path, int64_t limit_ms,
	      struct probe_answer *answer, struct err *e) __attribute__((warn_unused_result));

#endif

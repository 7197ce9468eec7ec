/* The secrets of an endpoint, which sign its posts. */
#include "server/hooks/secret.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/base/seal.h"
#include "server/config/config.h"
#include "server/store/projects/endpoints.h"

char *secret_open(const struct endpoint *endpoint, const char *sealed, const struct config *config)
{
	struct buf text = {0};
	char name[64];
	struct err why;

	if (!sealed)
		return NULL;
	endpoint_seal_name(endpoint->id, name);
	if (seal_open(config->secret, name, sealed, &text, &why) < 0) {
		LOG(LOG_ERROR, "webhook.secret_unreadable", LOG_S("webhook", endpoint->id),
		    LOG_S("reason", why.text));
		return NULL;
	}
	return buf_give(&text);
}

void secret_wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

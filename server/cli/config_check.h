#ifndef SERVER_CLI_CONFIG_CHECK_H
#define SERVER_CLI_CONFIG_CHECK_H

#include "server/config/config.h"
#include "server/base/err.h"

/* What config_load cannot know: whether addresses, URLs, certificates and key files are usable. So
 * that a start stops with a sentence, not a child with a crash loop. ERR_INPUT. */
int check_config(const struct config *config, struct err *e);

#endif

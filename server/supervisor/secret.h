#ifndef SERVER_SUPERVISOR_SECRET_H
#define SERVER_SUPERVISOR_SECRET_H

#include "server/config/config.h"

/* With an embedded Redis and no setting `secret`: takes it from the file "secret" in the data
 * directory, which is generated if it does not exist. Other machines do not need it. ERR_INPUT. */
int secret_prepare(struct config *config, struct err *e);
/* The same for the setting `root_key` and the file "root-key", with any Redis. */
int secret_prepare_root_key(struct config *config, struct err *e);

#endif

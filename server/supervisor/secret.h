#ifndef SERVER_SUPERVISOR_SECRET_H
#define SERVER_SUPERVISOR_SECRET_H

#include "server/config/config.h"

/* With an embedded Redis and no setting `secret`: reads it from the file "secret" in the data
 * directory, which is made when it is not there. The machine is the only one that has to know it.
 * ERR_INPUT. */
int secret_prepare(struct config *config, struct err *e);
/* The same for the setting `root_key`, in the file "root-key", whatever Redis it is. */
int secret_prepare_root_key(struct config *config, struct err *e);

#endif

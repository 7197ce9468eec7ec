#ifndef SERVER_SUPERVISOR_SECRET_H
#define SERVER_SUPERVISOR_SECRET_H

#include "server/config/config.h"

#define SECRET_TEXT_MAX 64

/* Reads the text in the file `name` in the data directory. If the file does not exist, make()
 * generates the text, always of the same length and without blanks, and it is written to the file
 * (mode 0600). ERR_INPUT. */
typedef void secret_make_fn(char text[SECRET_TEXT_MAX]);
int secret_load(const struct config *config, const char *name, secret_make_fn *make,
		char text[SECRET_TEXT_MAX], struct err *e);

/* With an embedded Redis and no setting `secret`: takes it from the file "secret" in the data
 * directory, which is generated if it does not exist. Other machines do not need it. ERR_INPUT. */
int secret_prepare(struct config *config, struct err *e);
/* The same for the setting `root_key` and the file "root-key", with any Redis. */
int secret_prepare_root_key(struct config *config, struct err *e);

#endif

#ifndef SERVER_SUPERVISOR_DATA_DIR_H
#define SERVER_SUPERVISOR_DATA_DIR_H

#include "server/base/err.h"

/* Makes dir, with parents, for the owner only, and sees that it can be written. ERR_INPUT. */
int data_dir_make(const char *dir, struct err *e);
/* Would data_dir_make succeed? Makes nothing. ERR_INPUT. */
int data_dir_check(const char *dir, struct err *e);

#endif

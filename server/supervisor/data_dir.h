#ifndef SERVER_SUPERVISOR_DATA_DIR_H
#define SERVER_SUPERVISOR_DATA_DIR_H

#include "server/base/err.h"

/* Creates dir and its parents, mode 0700, and checks that it is writable. ERR_INPUT. */
int data_dir_make(const char *dir, struct err *e);
/* Checks whether data_dir_make() would succeed, without creating anything. ERR_INPUT. */
int data_dir_check(const char *dir, struct err *e);

#endif

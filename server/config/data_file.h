#ifndef SERVER_CONFIG_DATA_FILE_H
#define SERVER_CONFIG_DATA_FILE_H

#include <sys/types.h>

#include "server/base/err.h"

/* Writes a small file of the data directory: text and a newline. The file appears complete or not
 * at all, and stays after a power failure: file and folder are synced. Several processes may write
 * it at once. ERR_INPUT: the system's reason. */
int data_file_write(const char *path, const char *text, mode_t mode, struct err *e);

#endif

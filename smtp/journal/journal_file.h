#ifndef SMTP_JOURNAL_JOURNAL_FILE_H
#define SMTP_JOURNAL_JOURNAL_FILE_H

#include <stddef.h>

#include "server/base/err.h"

/* The file of a journal: <data dir>/journal/<owner>. For the files journal*.c only. */

#define JOURNAL_NEW ".new"         /* added to the name while the file is rewritten */
#define JOURNAL_DAMAGED ".damaged" /* added to the name of a copy with unreadable entries */

/* Writes the path to out, and makes the directory. ERR_INPUT. */
int journal_file_path(char *out, size_t cap, const char *data_dir, const char *owner, struct err *e)
	__attribute__((warn_unused_result));
/* Opens and locks the file. Returns the descriptor. ERR_RETRY: another process has the lock;
 * ERR_NOT_FOUND: no file. */
int journal_file_open(const char *path, int flags, struct err *e)
	__attribute__((warn_unused_result));

#endif

#ifndef SERVER_STORE_MESSAGES_CONTENT_H
#define SERVER_STORE_MESSAGES_CONTENT_H

#include <stddef.h>

#include "server/base/err.h"

struct buf;

/* How a mail's bytes lie in the store: a codec byte ('z' zstd, 'r' raw) and the rest. */

int content_pack(const char *mail, size_t len, struct buf *out, struct err *e);
/* Appends the mail. At most limit bytes come out (ERR_INTERNAL: damaged). */
int content_unpack(const char *packed, size_t len, size_t limit, struct buf *out, struct err *e);

#endif

#ifndef SERVER_STORE_MESSAGES_CONTENT_H
#define SERVER_STORE_MESSAGES_CONTENT_H

#include <stddef.h>

#include "server/base/err.h"

struct buf;

/* The bytes of a mail as they are stored: a codec byte, then the packed mail. Codecs: 'd' zstd with
 * our dictionary, 'r' raw, 'z' zstd alone (only read). */

/* Appends the packed mail to out. ERR_INTERNAL: out of memory. */

int content_pack(const char *mail, size_t len, struct buf *out, struct err *e);
/* Appends the mail to out. ERR_INTERNAL: damaged, longer than limit, or out of memory. */
int content_unpack(const char *packed, size_t len, size_t limit, struct buf *out, struct err *e);

#endif

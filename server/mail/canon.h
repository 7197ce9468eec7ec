#ifndef SERVER_MAIL_CANON_H
#define SERVER_MAIL_CANON_H

#include <stddef.h>

/* The relaxed canonical form of a mail, as DKIM signs it (RFC 6376 3.4.2, 3.4.4). */

struct buf;
struct evp_md_ctx_st; /* EVP_MD_CTX */

/* Feeds the canonical body to a digest, without a copy. -1: a bare CR or LF (or the digest
 * failed). */
int canon_body(struct evp_md_ctx_st *digest, const char *body, size_t len);
/* Appends one canonical field without its line end; field may be folded. */
void canon_field(struct buf *out, const char *field, size_t len);

#endif

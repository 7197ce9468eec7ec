#ifndef SERVER_MAIL_ENCODE_H
#define SERVER_MAIL_ENCODE_H

#include <stddef.h>

struct buf;

/* Content-Transfer-Encodings (RFC 2045 section 6): only the three that pass any server unchanged,
 * so that nothing is converted after signing. */
enum encode { ENCODE_7BIT, ENCODE_QP, ENCODE_BASE64 };

/* 7bit for ASCII in lines of at most 998; else quoted-printable, unless base64 is shorter by more
 * than a quarter: spam filters give points for text in base64. */
enum encode encode_choose(const char *text, size_t len);
/* "7bit", "quoted-printable", "base64". */
const char *encode_name(enum encode how);
/* Appends text; each LF, CR and CRLF becomes one CRLF. Nothing is added at the end. */
void encode_text(enum encode how, const char *text, size_t len, struct buf *out);
/* Appends base64 in lines of 76; no line end after the last. */
void encode_bytes(const unsigned char *bytes, size_t len, struct buf *out);

#endif

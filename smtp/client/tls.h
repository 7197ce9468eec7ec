#ifndef SMTP_CLIENT_TLS_H
#define SMTP_CLIENT_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

/* TLS for mail clients on non-blocking sockets (TLS >= 1.2, RFC 8314, 9525). The only file that
 * sees OpenSSL.
 *
 * What OpenSSL writes goes to a buffer of ours and from there to the socket. So a record is never
 * half written for OpenSSL, which could not answer a KeyUpdate in that state ("bad length"), nor
 * does a failed write keep the peer's last words from being read. */

struct tls_context; /* one a process and CA file */
struct tls;         /* one connection */

enum tls_status {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE, /* earlier bytes wait for the socket: nothing was taken */
	TLS_END,        /* the peer closed, with or without close_notify */
	TLS_BROKEN,     /* tls_why says why */
};

/* ca_file NULL: the system's authorities. NULL on failure. */
struct tls_context *tls_context_new(const char *ca_file, struct err *e);
void tls_context_free(struct tls_context *ctx);

/* Client side on fd, which stays the caller's. name: of the host, sent as SNI unless it is an
 * address. is_strict: the certificate must be valid and for name; else it is only looked at. */
int tls_new(struct tls **out, struct tls_context *ctx, int fd, const char *name, bool is_strict,
	    struct err *e) __attribute__((warn_unused_result));
void tls_free(struct tls *t); /* says close_notify if it can */

/* After each of these, tls_has_unsent says whether to wait for room to write, then tls_flush. */
enum tls_status tls_handshake(struct tls *t);
enum tls_status tls_read(struct tls *t, void *bytes, size_t size, size_t *n);
/* Takes at most one record. */
enum tls_status tls_write(struct tls *t, const void *bytes, size_t len, size_t *n);
bool tls_has_unsent(const struct tls *t);
enum tls_status tls_flush(struct tls *t);  /* DONE, WANT_WRITE, BROKEN */
bool tls_has_pending(const struct tls *t); /* read bytes that no descriptor event will announce */

const char *tls_why(const struct tls *t);
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
bool tls_is_verified(const struct tls *t);

#endif

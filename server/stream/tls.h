#ifndef SERVER_STREAM_TLS_H
#define SERVER_STREAM_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

/* TLS for clients on non-blocking sockets (TLS >= 1.2, RFC 8314, 9525).
 *
 * OpenSSL writes into a buffer, and tls.c writes the buffer to the socket. There are two reasons.
 * While a record is half written, OpenSSL cannot respond to a KeyUpdate ("bad length"). And after a
 * failed write the peer's last octets can still be read. */

struct tls_context; /* authorities and options: one for each process */
struct tls;         /* one connection */

enum tls_status {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE, /* earlier octets still wait for the socket: nothing was written */
	TLS_END,        /* the peer closed, with or without close_notify */
	TLS_BROKEN,     /* tls_why has the reason */
};

/* ca_file: PEM; NULL = the system's authorities. Returns NULL on failure; ERR_INPUT: ca_file is not
 * usable. */
struct tls_context *tls_context_new(const char *ca_file, struct err *e);
/* Our own certificate chain and its key, both PEM, for servers that ask for one. ERR_INPUT. */
int tls_context_use_certificate(struct tls_context *ctx, const char *cert_file,
				const char *key_file, struct err *e);
void tls_context_free(struct tls_context *ctx); /* NULL is allowed */

/* The client side on fd, which the caller keeps. name: of the host; sent as SNI unless it is an
 * address. is_strict: the handshake fails unless the certificate is valid for name; else
 * tls_is_verified says whether it is. */
int tls_new(struct tls **out, struct tls_context *ctx, int fd, const char *name, bool is_strict,
	    struct err *e) __attribute__((warn_unused_result));
void tls_free(struct tls *t); /* sends close_notify if it can */

/* After each of these: if tls_has_unsent is true, wait until the socket is writable, then call
 * tls_flush. *n: the number of octets, set on TLS_DONE. */
enum tls_status tls_handshake(struct tls *t);
enum tls_status tls_read(struct tls *t, void *bytes, size_t size, size_t *n);
/* Writes at most one record. */
enum tls_status tls_write(struct tls *t, const void *bytes, size_t len, size_t *n);
bool tls_has_unsent(const struct tls *t);
enum tls_status tls_flush(struct tls *t);  /* DONE, WANT_WRITE, BROKEN */
bool tls_has_pending(const struct tls *t); /* tls_read has more, without an event of the socket */

const char *tls_why(const struct tls *t); /* for TLS_END and TLS_BROKEN */
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
bool tls_is_verified(const struct tls *t);

#endif

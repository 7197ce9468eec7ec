/* TLS for clients: the wrapper around OpenSSL. */
#include "server/stream/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define RECORD_BYTES 16384
/* Only a peer that sends nothing but KeyUpdate requests exceeds it. */
#define UNSENT_MAX ((size_t)4 * RECORD_BYTES)

struct tls_context {
	SSL_CTX *ctx;
};

struct tls {
	SSL *ssl;
	int fd;
	BIO *unsent;   /* owned by ssl */
	size_t n_sent; /* of unsent */
	bool is_strict, is_open, is_broken;
	char why[160];
};

static int fail(struct err *e, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return err_set(e, ERR_INTERNAL, "%s: %s", what, reason ? reason : "unknown error");
}

static int set_up(SSL_CTX *ctx, const char *ca_file, struct err *e)
{
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION))
		return fail(e, "TLS 1.2");
	if (ca_file && SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1)
		return err_set(e, ERR_INPUT, "%s: not a PEM file with CA certificates", ca_file);
	if (!ca_file && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return fail(e, "the CA certificates of the system");
	return 0;
}

struct tls_context *tls_context_new(const char *ca_file, struct err *e)
{
	struct tls_context *c = calloc(1, sizeof(*c));

	ERR_clear_error();
	if (c)
		c->ctx = SSL_CTX_new(TLS_client_method());
	if (!c || !c->ctx) {
		free(c);
		err_oom(e);
		return NULL;
	}
	if (set_up(c->ctx, ca_file, e) < 0) {
		tls_context_free(c);
		return NULL;
	}
	return c;
}

int tls_context_use_certificate(struct tls_context *c, const char *cert_file, const char *key_file,
				struct err *e)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(c->ctx, cert_file) != 1)
		return err_set(e, ERR_INPUT, "%s: not a PEM file with a certificate", cert_file);
	if (SSL_CTX_use_PrivateKey_file(c->ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(c->ctx) != 1)
		return err_set(e, ERR_INPUT, "%s: not a PEM file with the key of the certificate",
			       key_file);
	return 0;
}

void tls_context_free(struct tls_context *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ctx);
	free(c);
}

static bool is_ip(const char *name)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, name, addr) == 1 || inet_pton(AF_INET6, name, addr) == 1;
}

/* Sets the name that the certificate must have: without a final dot, and without the brackets of
 * RFC 5321 address literals. */
static int set_name(struct tls *t, const char *host)
{
	char name[256];
	size_t len = strlen(host);

	if (len > 1 && host[0] == '[' && host[len - 1] == ']')
		snprintf(name, sizeof(name), "%.*s", (int)(len - 2), host + 1);
	else
		snprintf(name, sizeof(name), "%s", host);
	len = strlen(name);
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = 0;
	if (is_ip(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), name) == 1 ? 0 : -1;
	SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (SSL_set1_host(t->ssl, name) != 1 || SSL_set_tlsext_host_name(t->ssl, name) != 1)
		return -1;
	return 0;
}

static int set_socket(struct tls *t, int fd)
{
	BIO *in = BIO_new_socket(fd, BIO_NOCLOSE);

	t->fd = fd;
	t->unsent = BIO_new(BIO_s_mem());
	if (!in || !t->unsent) {
		BIO_free(in);
		BIO_free(t->unsent);
		return -1;
	}
	SSL_set_bio(t->ssl, in, t->unsent);
	return 0;
}

int tls_new(struct tls **out, struct tls_context *ctx, int fd, const char *name, bool is_strict,
	    struct err *e)
{
	struct tls *t = calloc(1, sizeof(*t));

	ERR_clear_error();
	if (t)
		t->ssl = SSL_new(ctx->ctx);
	if (!t || !t->ssl) {
		free(t);
		return err_oom(e);
	}
	t->is_strict = is_strict;
	SSL_set_verify(t->ssl, is_strict ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	/* If the certificate is not verified, a weak key is still better than no TLS. */
	if (!is_strict)
		SSL_set_security_level(t->ssl, 1);
	if (set_socket(t, fd) < 0 || (name[0] && set_name(t, name) < 0)) {
		tls_free(t);
		return fail(e, "TLS set-up");
	}
	*out = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	ERR_clear_error();
	if (t->is_open && !t->is_broken) {
		SSL_shutdown(t->ssl);
		tls_flush(t);
	}
	SSL_free(t->ssl);
	ERR_clear_error();
	free(t);
}

static void note_error(struct tls *t, int saved_errno)
{
	unsigned long code = ERR_peek_error();
	long verdict = SSL_get_verify_result(t->ssl);
	const char *reason = ERR_reason_error_string(code);

	if (t->is_strict && !t->is_open && verdict != X509_V_OK)
		snprintf(t->why, sizeof(t->why), "certificate: %s",
			 X509_verify_cert_error_string(verdict));
	else if (reason)
		snprintf(t->why, sizeof(t->why), "TLS: %s", reason);
	else
		snprintf(t->why, sizeof(t->why), "TLS: %s",
			 saved_errno ? strerror(saved_errno) : "connection closed");
}

/* OpenSSL's error queue belongs to the thread. It must be empty before each SSL_* call, else
 * SSL_get_error reads the error of another connection. */
static enum tls_status read_status(struct tls *t, int result)
{
	int saved_errno = errno;
	int error = SSL_get_error(t->ssl, result);

	if (error == SSL_ERROR_WANT_READ)
		return TLS_WANT_READ;
	if (error == SSL_ERROR_WANT_WRITE)
		return TLS_WANT_WRITE;
	if (error == SSL_ERROR_ZERO_RETURN) {
		snprintf(t->why, sizeof(t->why), "connection closed");
		return TLS_END;
	}
	t->is_broken = true;
	note_error(t, error == SSL_ERROR_SYSCALL ? saved_errno : 0);
	if (t->is_open && ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		snprintf(t->why, sizeof(t->why), "connection closed without close_notify");
		return TLS_END;
	}
	return TLS_BROKEN;
}

bool tls_has_unsent(const struct tls *t)
{
	return BIO_ctrl_pending(t->unsent) > t->n_sent;
}

/* No more octets can be sent. Octets of the peer can still be read. */
static enum tls_status give_up(struct tls *t, const char *why)
{
	t->is_broken = true;
	snprintf(t->why, sizeof(t->why), "%s", why);
	(void)BIO_reset(t->unsent);
	t->n_sent = 0;
	return TLS_BROKEN;
}

enum tls_status tls_flush(struct tls *t)
{
	while (tls_has_unsent(t)) {
		char *bytes;
		size_t len = (size_t)BIO_get_mem_data(t->unsent, &bytes) - t->n_sent;
		ssize_t n = send(t->fd, bytes + t->n_sent, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return give_up(t, strerror(errno));
		if (n < 0 && len > UNSENT_MAX)
			return give_up(t, "TLS: the server does not read");
		if (n < 0)
			return TLS_WANT_WRITE;
		t->n_sent += (size_t)n;
	}
	if (t->n_sent > 0)
		(void)BIO_reset(t->unsent);
	t->n_sent = 0;
	return TLS_DONE;
}

enum tls_status tls_handshake(struct tls *t)
{
	enum tls_status now = TLS_DONE;
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_connect(t->ssl);
	t->is_open = result == 1;
	if (result != 1)
		now = read_status(t, result);
	/* Also sends the alert with the reason. */
	return tls_flush(t) == TLS_BROKEN ? TLS_BROKEN : now;
}

enum tls_status tls_read(struct tls *t, void *bytes, size_t size, size_t *n)
{
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_read(t->ssl, bytes, size > RECORD_BYTES ? RECORD_BYTES : (int)size);
	if (result <= 0)
		return read_status(t, result);
	*n = (size_t)result;
	return TLS_DONE;
}

enum tls_status tls_write(struct tls *t, const void *bytes, size_t len, size_t *n)
{
	enum tls_status flushed = tls_flush(t);
	int result;

	if (t->is_broken)
		return TLS_BROKEN;
	if (flushed != TLS_DONE)
		return flushed;
	ERR_clear_error();
	errno = 0;
	result = SSL_write(t->ssl, bytes, len > RECORD_BYTES ? RECORD_BYTES : (int)len);
	if (result <= 0)
		return read_status(t, result);
	*n = (size_t)result;
	/* The octets count as written. If the socket is dead, the next call fails. */
	tls_flush(t);
	return TLS_DONE;
}

bool tls_has_pending(const struct tls *t)
{
	return SSL_has_pending(t->ssl) == 1;
}

const char *tls_why(const struct tls *t)
{
	return t->why;
}

const char *tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
	return SSL_get_cipher_name(t->ssl);
}

bool tls_is_verified(const struct tls *t)
{
	return SSL_get0_peer_certificate(t->ssl) && SSL_get_verify_result(t->ssl) == X509_V_OK;
}

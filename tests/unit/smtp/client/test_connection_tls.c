/* TLS on a connection, against OpenSSL's own server side in a thread: key updates in the middle of
 * a mail, and a failed handshake that must not leak into its neighbour's error queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <pthread.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "server/base/loop.h"
#include "smtp/client/connection.h"
#include "server/stream/stream.h"
#include "tests/unit/unit.h"

#define BODY_BYTES 300000

struct server {
	SSL_CTX *ctx;
	int fd;
	bool is_bad; /* hangs up in the handshake, with an alert */
	size_t n_bytes, n_mail;
	pthread_t thread;
};

struct client {
	struct loop *loop;
	int *n_open;
	struct connection_mail mail;
	enum connection_outcome outcome;
	bool has_failed, has_tls_failed, is_done;
	char version[16];
};

static SSL_CTX *server_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"mx", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_sign(cert, key, EVP_sha256());
	SSL_CTX_use_certificate(ctx, cert);
	SSL_CTX_use_PrivateKey(ctx, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static void say(SSL *ssl, const char *text)
{
	SSL_write(ssl, text, (int)strlen(text));
}

/* Reads until the text so far ends in `end`; asks for new keys on the way, both directions. */
static void read_to(struct server *s, SSL *ssl, const char *end)
{
	char tail[64] = "", bytes[4096];
	size_t len = strlen(end);
	int n, rounds = 0;

	while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0) {
		size_t keep = (size_t)n < 8 ? (size_t)n : 8;

		s->n_bytes += (size_t)n;
		memmove(tail, tail + keep, 16 - keep);
		memcpy(tail + 16 - keep, bytes + n - keep, keep);
		if (memcmp(tail + 16 - len, end, len) == 0)
			return;
		if (rounds++ % 8 == 0)
			SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	SSL *ssl = SSL_new(s->ctx);

	if (s->is_bad)
		SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
	SSL_set_fd(ssl, s->fd);
	if (SSL_accept(ssl) == 1) {
		say(ssl, "220 hi\r\n");
		read_to(s, ssl, "\r\n");
		say(ssl, "250-hi\r\n250 PIPELINING\r\n");
		read_to(s, ssl, "DATA\r\n");
		SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
		say(ssl, "250 ok\r\n250 ok\r\n354 go\r\n");
		s->n_bytes = 0;
		read_to(s, ssl, "\r\n.\r\n");
		s->n_mail = s->n_bytes;
		SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
		say(ssl, "250 queued\r\n");
		read_to(s, ssl, "QUIT\r\n");
	}
	SSL_free(ssl);
	close(s->fd);
	return NULL;
}

/* What the failure of another connection may leave for the next SSL_* call. */
static void dirty_error_queue(void)
{
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
}

static void on_ready(struct connection *c, void *arg)
{
	struct client *k = arg;

	dirty_error_queue();
	if (k->is_done)
		connection_quit(c);
	else
		assert_int_equal(connection_send(c, &k->mail, NULL), 0);
}

static void on_fence(struct connection *c, void *arg)
{
	(void)arg;
	dirty_error_queue();
	connection_dot(c);
	dirty_error_queue();
}

static void on_done(struct connection *c, const struct connection_result *results, size_t n,
		    void *arg)
{
	struct client *k = arg;

	(void)c;
	(void)n;
	k->outcome = results[0].outcome;
	k->is_done = true;
}

static void on_closed(struct connection *c, const struct connection_result *failure, void *arg)
{
	struct client *k = arg;

	k->has_failed = failure != NULL;
	k->has_tls_failed = connection_facts(c)->has_tls_failed;
	snprintf(k->version, sizeof(k->version), "%s", connection_facts(c)->tls_version);
	if (--*k->n_open == 0)
		loop_stop(k->loop);
}

/* n connections at once on one loop; every second one (from the first) fails if so asked. */
static void run(size_t n, bool with_failures, struct server *servers, struct client *clients)
{
	static const char *const recipients[] = {"a@x.test"};
	static const struct connection_callbacks callbacks = {on_ready, on_fence, on_done,
							      on_closed};
	struct tls_context *tls = tls_context_new(NULL, NULL);
	struct connection_options options = {
		.helo_name = "me.test", .tls = ROUTE_TLS_IMPLICIT, .tls_context = tls};
	struct loop *loop = loop_new();
	SSL_CTX *ctx = server_context();
	char *body = malloc(BODY_BYTES);
	int n_open = (int)n;

	memset(body, 'x', BODY_BYTES);
	memcpy(body + BODY_BYTES - 2, "\r\n", 2);
	for (size_t i = 0; i < n; i++) {
		struct connection *c;
		int fds[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		servers[i] = (struct server){
			.ctx = ctx, .fd = fds[1], .is_bad = with_failures && i % 2 == 0};
		clients[i] = (struct client){
			.loop = loop,
			.n_open = &n_open,
			.mail = {"me@x.test", recipients, 1, NULL, 0, body, BODY_BYTES}};
		assert_int_equal(
			connection_adopt(&c, loop, fds[0], &options, &callbacks, &clients[i], NULL),
			0);
		pthread_create(&servers[i].thread, NULL, serve, &servers[i]);
	}
	loop_run(loop);
	for (size_t i = 0; i < n; i++)
		pthread_join(servers[i].thread, NULL);
	free(body);
	SSL_CTX_free(ctx);
	loop_free(loop);
	tls_context_free(tls);
}

static void keys_may_change_in_the_middle_of_a_mail(void **state)
{
	struct server server;
	struct client client;

	(void)state;
	run(1, false, &server, &client);
	assert_false(client.has_failed);
	assert_string_equal(client.version, "TLSv1.3");
	assert_int_equal(client.outcome, OUTCOME_DELIVERED);
	assert_int_equal(server.n_mail, BODY_BYTES + 3);
}

static void a_failed_handshake_does_not_disturb_its_neighbours(void **state)
{
	struct server servers[8];
	struct client clients[8];

	(void)state;
	run(8, true, servers, clients);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(clients[i].has_tls_failed, i % 2 == 0);
		assert_int_equal(clients[i].is_done, i % 2 == 1);
		if (clients[i].is_done)
			assert_int_equal(clients[i].outcome, OUTCOME_DELIVERED);
	}
}

/* Reads until something other than WANT_READ comes, with a dirty queue each time. */
static enum tls_status read_dirty(struct tls *tls, char *bytes, size_t size, size_t *n)
{
	enum tls_status status = TLS_WANT_READ;

	for (int i = 0; i < 5000 && status == TLS_WANT_READ; i++) {
		usleep(1000);
		dirty_error_queue();
		status = tls_read(tls, bytes, size, n);
	}
	return status;
}

static void a_dirty_error_queue_is_cleared_before_each_call(void **state)
{
	struct tls_context *ctx = tls_context_new(NULL, NULL);
	SSL_CTX *server_ctx = server_context();
	enum tls_status status = TLS_WANT_READ;
	struct server server = {.ctx = server_ctx};
	struct tls *tls;
	char bytes[100];
	size_t n = 0;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	server.fd = fds[1];
	pthread_create(&server.thread, NULL, serve, &server);
	dirty_error_queue();
	assert_int_equal(tls_new(&tls, ctx, fds[0], "mx.test", false, NULL), 0);
	for (int i = 0; i < 5000 && status == TLS_WANT_READ; i++) {
		usleep(1000);
		dirty_error_queue();
		status = tls_handshake(tls);
	}
	assert_int_equal(status, TLS_DONE);
	assert_int_equal(read_dirty(tls, bytes, sizeof(bytes), &n), TLS_DONE);
	assert_memory_equal(bytes, "220 hi\r\n", 8);
	dirty_error_queue();
	assert_int_equal(tls_read(tls, bytes, sizeof(bytes), &n), TLS_WANT_READ);
	dirty_error_queue();
	assert_int_equal(tls_write(tls, "EHLO me\r\n", 9, &n), TLS_DONE);
	assert_int_equal(read_dirty(tls, bytes, sizeof(bytes), &n), TLS_DONE);
	dirty_error_queue();
	tls_free(tls);
	assert_int_equal(ERR_peek_error(), 0);
	shutdown(fds[0], SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(fds[0]);
	SSL_CTX_free(server_ctx);
	tls_context_free(ctx);
}

UNIT_TESTS(cmocka_unit_test(keys_may_change_in_the_middle_of_a_mail),
	   cmocka_unit_test(a_failed_handshake_does_not_disturb_its_neighbours),
	   cmocka_unit_test(a_dirty_error_queue_is_cleared_before_each_call))

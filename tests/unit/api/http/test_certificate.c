/* HTTPS: the check of certificate and key, and the server with them. */
#include "api/http/certificate.h"
#include "tests/unit/api/http/client.h"

#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static char folder[] = "/tmp/test_tls_XXXXXX";
static char cert_file[64], key_file[64], other_key_file[64], locked_key_file[64], junk_file[64];

static void write_key(const char *path, EVP_PKEY *key, const char *passphrase)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(
		PEM_write_PKCS8PrivateKey(f, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0,
					  NULL, passphrase ? (void *)(uintptr_t)passphrase : NULL),
		1);
	fclose(f);
}

static void write_cert(const char *path, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	FILE *f = fopen(path, "w");

	assert_non_null(cert);
	assert_non_null(f);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	X509_free(cert);
}

static void name_files(void)
{
	snprintf(cert_file, sizeof(cert_file), "%s/cert.pem", folder);
	snprintf(key_file, sizeof(key_file), "%s/key.pem", folder);
	snprintf(other_key_file, sizeof(other_key_file), "%s/other.pem", folder);
	snprintf(locked_key_file, sizeof(locked_key_file), "%s/locked.pem", folder);
	snprintf(junk_file, sizeof(junk_file), "%s/junk.pem", folder);
}

static int make_files(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	FILE *junk;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	name_files();
	write_cert(cert_file, key);
	write_key(key_file, key, NULL);
	write_key(other_key_file, other, NULL);
	write_key(locked_key_file, key, "passphrase");
	junk = fopen(junk_file, "w");
	assert_non_null(junk);
	fputs("junk\n", junk);
	fclose(junk);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	shared.cert = cert_file;
	shared.key = key_file;
	return start_shared(state);
}

static int remove_files(void **state)
{
	unlink(cert_file);
	unlink(key_file);
	unlink(other_key_file);
	unlink(locked_key_file);
	unlink(junk_file);
	rmdir(folder);
	return stop_shared(state);
}

static void each_pair_is_taken_or_the_setting_is_named(void **state)
{
	const struct {
		const char *cert, *key;
		const char *why; /* NULL: fine */
	} rows[] = {
		{"", "", NULL},
		{cert_file, key_file, NULL},
		{cert_file, "", "POSTERN_TLS_KEY: is needed"},
		{"", key_file, "POSTERN_TLS_CERT: is needed"},
		{"/nowhere/cert.pem", key_file,
		 "POSTERN_TLS_CERT: /nowhere/cert.pem: No such file or directory"},
		{cert_file, "/nowhere/key.pem", "POSTERN_TLS_KEY: /nowhere/key.pem: No such file"},
		{folder, key_file, "not a file"},
		{junk_file, key_file, "no certificate in PEM"},
		{key_file, key_file, "no certificate in PEM"},
		{cert_file, junk_file, "no private key in PEM"},
		{cert_file, cert_file, "no private key in PEM"},
		{cert_file, locked_key_file, "passphrase"},
		{cert_file, other_key_file, "not the key of the certificate"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config config = {.tls_cert = rows[i].cert, .tls_key = rows[i].key};
		struct err e = {.text = ""};
		int status = certificate_check(&config, &e);

		if ((status == 0) != !rows[i].why)
			fail_msg("row %zu: %d %s", i, status, e.text);
		if (status < 0 && (e.kind != ERR_INPUT || !strstr(e.text, rows[i].why)))
			fail_msg("row %zu: %s", i, e.text);
	}
}

static void a_file_that_may_not_be_read_is_named(void **state)
{
	struct config config = {.tls_cert = cert_file, .tls_key = key_file};
	struct err e;

	(void)state;
	/* To root all files are open. */
	if (geteuid() == 0)
		skip();
	chmod(key_file, 0);
	assert_int_equal(certificate_check(&config, &e), -1);
	assert_non_null(strstr(e.text, "POSTERN_TLS_KEY: "));
	assert_non_null(strstr(e.text, "Permission denied"));
	chmod(key_file, 0600);
}

static SSL *secure(int fd, int most)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;

	assert_non_null(ctx);
	SSL_CTX_set_max_proto_version(ctx, most);
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	assert_non_null(ssl);
	SSL_set_fd(ssl, fd);
	return ssl;
}

static int ask(SSL *ssl, const char *request, char *answer, size_t size)
{
	size_t len = 0;

	SSL_write(ssl, request, (int)strlen(request));
	do {
		int n = SSL_read(ssl, answer + len, (int)(size - 1 - len));

		if (n <= 0)
			break;
		len += (size_t)n;
		answer[len] = 0;
	} while (!strstr(answer, "\r\n\r\n") || strcmp(answer + len - 2, "}\n") != 0);
	return len > 12 ? atoi(answer + 9) : 0;
}

static void requests_are_served_over_tls(void **state)
{
	static const char post[] = POST("/v1/later", "Content-Length: 2\r\n") "{}";
	static const char big[] = POST("/v1/echo", "Content-Length: 200001\r\n");
	int fd = dial(&shared);
	SSL *ssl = secure(fd, TLS1_3_VERSION);
	char answer[4000];

	(void)state;
	assert_int_equal(SSL_connect(ssl), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(ssl, post, answer, sizeof(answer)), 202);
	assert_int_equal(ask(ssl, big, answer, sizeof(answer)), 413);
	SSL_free(ssl);
	close(fd);
}

static void old_tls_is_refused(void **state)
{
	int fd = dial(&shared);
	SSL *ssl = secure(fd, TLS1_1_VERSION);

	(void)state;
	SSL_set_security_level(ssl, 0);
	assert_int_not_equal(SSL_connect(ssl), 1);
	SSL_free(ssl);
	close(fd);
}

static void a_client_without_a_handshake_is_closed(void **state)
{
	int silent = dial(&shared), plain = dial(&shared);

	(void)state;
	say(plain, GET("/healthz"), sizeof(GET("/healthz")) - 1);
	assert_true(closes(plain, 3000));
	assert_true(closes(silent, 3000));
	close(silent);
	close(plain);
}

static void a_body_over_the_limit_ends_the_connection(void **state)
{
	static char chunk[16006] = "3e80\r\n";
	static const char head[] = POST("/v1/echo", "Transfer-Encoding: chunked\r\n");
	int fd = dial(&shared);
	SSL *ssl = secure(fd, TLS1_3_VERSION);
	char answer[100];

	(void)state;
	memset(chunk + 6, ' ', 16000);
	assert_int_equal(SSL_connect(ssl), 1);
	SSL_write(ssl, head, sizeof(head) - 1);
	for (int i = 0; i < 20; i++) {
		SSL_write(ssl, chunk, sizeof(chunk));
		SSL_write(ssl, "\r\n", 2);
	}
	assert_true(SSL_read(ssl, answer, sizeof(answer)) <= 0);
	SSL_free(ssl);
	close(fd);
}

UNIT_TESTS_IN(make_files, remove_files,
	      cmocka_unit_test(each_pair_is_taken_or_the_setting_is_named),
	      cmocka_unit_test(a_file_that_may_not_be_read_is_named),
	      cmocka_unit_test(requests_are_served_over_tls), cmocka_unit_test(old_tls_is_refused),
	      cmocka_unit_test(a_client_without_a_handshake_is_closed),
	      cmocka_unit_test(a_body_over_the_limit_ends_the_connection))

/* Reads the certificate of the API, and checks it before the server starts. */
#include "api/http/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define FILE_MAX ((off_t)1 << 20)

static int read_all(int fd, char *to, size_t len)
{
	while (len) {
		ssize_t n = read(fd, to, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

static int load_file(const char *setting, const char *path, char **out, struct err *e)
{
	/* O_NONBLOCK: to open a FIFO would wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status = -1;
	struct stat st;
	char *text = NULL;

	if (fd < 0)
		return err_set(e, ERR_INPUT, "%s: %s: %s", setting, path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		err_set(e, ERR_INPUT, "%s: %s: not a file of at most 1 MB", setting, path);
		goto out;
	}
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text) {
		err_oom(e);
		goto out;
	}
	if (read_all(fd, text, (size_t)st.st_size) < 0) {
		err_set(e, ERR_INPUT, "%s: %s: %s", setting, path, strerror(errno));
		goto out;
	}
	*out = text;
	text = NULL;
	status = 0;
out:
	close(fd);
	certificate_wipe(text);
	return status;
}

void certificate_wipe(char *key)
{
	if (key)
		OPENSSL_cleanse(key, strlen(key));
	free(key);
}

/* There is no terminal to ask for a passphrase, so a key with one is refused. */
static int no_passphrase(char *to, int len, int for_writing, void *arg)
{
	(void)to;
	(void)len;
	(void)for_writing;
	(void)arg;
	return -1;
}

static int check_pair(const struct config *config, const char *cert_text, const char *key_text,
		      struct err *e)
{
	BIO *cert_bio = BIO_new_mem_buf(cert_text, -1), *key_bio = BIO_new_mem_buf(key_text, -1);
	X509 *cert = cert_bio ? PEM_read_bio_X509(cert_bio, NULL, no_passphrase, NULL) : NULL;
	EVP_PKEY *key =
		key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, no_passphrase, NULL) : NULL;
	int status = 0;

	if (!cert)
		status = err_set(e, ERR_INPUT, "POSTERN_TLS_CERT: %s: no certificate in PEM",
				 config->tls_cert);
	else if (!key)
		status = err_set(e, ERR_INPUT,
				 "POSTERN_TLS_KEY: %s: no private key in PEM without a passphrase",
				 config->tls_key);
	/* Only the first certificate of a chain belongs to the key. */
	else if (X509_check_private_key(cert, key) != 1)
		status = err_set(e, ERR_INPUT,
				 "POSTERN_TLS_KEY: %s: not the key of the certificate in %s",
				 config->tls_key, config->tls_cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(cert_bio);
	BIO_free(key_bio);
	/* OpenSSL keeps errors for the thread. The next call must not find these. */
	ERR_clear_error();
	return status;
}

int certificate_load(const struct config *config, char **cert, char **key, struct err *e)
{
	char *cert_text = NULL, *key_text = NULL;

	if (!*config->tls_cert && !*config->tls_key)
		return 0;
	if (!*config->tls_key)
		return err_set(e, ERR_INPUT, "POSTERN_TLS_KEY: is needed with POSTERN_TLS_CERT");
	if (!*config->tls_cert)
		return err_set(e, ERR_INPUT, "POSTERN_TLS_CERT: is needed with POSTERN_TLS_KEY");
	if (load_file("POSTERN_TLS_CERT", config->tls_cert, &cert_text, e) < 0 ||
	    load_file("POSTERN_TLS_KEY", config->tls_key, &key_text, e) < 0 ||
	    check_pair(config, cert_text, key_text, e) < 0) {
		free(cert_text);
		certificate_wipe(key_text);
		return -1;
	}
	*cert = cert_text;
	*key = key_text;
	return 0;
}

int certificate_check(const struct config *config, struct err *e)
{
	char *cert = NULL, *key = NULL;

	if (certificate_load(config, &cert, &key, e) < 0)
		return -1;
	free(cert);
	certificate_wipe(key);
	return 0;
}

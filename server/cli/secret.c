/* The key that seals what the store keeps, where nobody set one. */
#include "server/cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/evp.h>

#define BYTES 32
#define TEXT 44

static int read_secret(const char *file, char text[TEXT + 1], struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT);
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return err_set(e, error == ENOENT ? ERR_NOT_FOUND : ERR_INPUT, "%.200s: %s", file,
			       strerror(error));
	text[n] = 0;
	return n == TEXT
		       ? 0
		       : err_set(e, ERR_INPUT,
				 "%.200s: this is no secret of 32 bytes in base64; what was sealed "
				 "with the one that was there is lost without it",
				 file);
}

static int write_all(int fd, const char *text, size_t len)
{
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
		return -1;
	return 0;
}

/* Whole or not at all: written beside it, then put in its place. */
static int make_secret(const char *file, struct err *e)
{
	unsigned char random[BYTES];
	char text[TEXT + 2], beside[PATH_MAX + 32];
	int fd, rc = -1;

	if (getrandom(random, BYTES, 0) != BYTES)
		abort();
	EVP_EncodeBlock((unsigned char *)text, random, BYTES);
	text[TEXT] = '\n';
	snprintf(beside, sizeof(beside), "%s.new", file);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0) {
		rc = write_all(fd, text, TEXT + 1);
		close(fd);
	}
	if (rc < 0 || rename(beside, file) < 0)
		rc = err_set(e, ERR_INPUT, "%.200s: %s", beside, strerror(errno));
	explicit_bzero(text, sizeof(text));
	explicit_bzero(random, sizeof(random));
	return rc;
}

int secret_prepare(struct config *config, struct err *e)
{
	char file[PATH_MAX + 16], text[TEXT + 1];
	int rc;

	if (*config->secret || *config->redis_url)
		return 0;
	if ((size_t)snprintf(file, sizeof(file), "%s/secret", config->data_dir) >= sizeof(file))
		return err_set(e, ERR_INPUT, "data_dir: too long");
	rc = read_secret(file, text, e);
	if (rc < 0 && e->kind == ERR_NOT_FOUND && make_secret(file, e) == 0)
		rc = read_secret(file, text, e);
	if (rc == 0)
		rc = config_set(config, "secret", text, "secret in data_dir", e);
	explicit_bzero(text, sizeof(text));
	return rc;
}

/* Secrets that are not set: generates them once and keeps them in the data directory. */
#include "server/supervisor/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/base/base64.h"
#include "server/base/id.h"
#include "server/base/random.h"

#define BYTES 32
#define ROOT_PREFIX "pn_root_"
#define ROOT_RANDOM 40

/* len: the length that it must have. */
static int read_secret(const char *file, size_t len, char text[SECRET_TEXT_MAX], struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, len);
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return err_set(e, error == ENOENT ? ERR_NOT_FOUND : ERR_INPUT, "%.200s: %s", file,
			       strerror(error));
	text[n] = 0;
	return (size_t)n == len && strcspn(text, " \n") == len
		       ? 0
		       : err_set(e, ERR_INPUT, "%.200s: this file is damaged", file);
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	return write(fd, text, len) == (ssize_t)len && write(fd, "\n", 1) == 1 && fsync(fd) == 0
		       ? 0
		       : -1;
}

/* Writes a temporary file and renames it, so that the file is never incomplete. */
static int write_secret(const char *file, const char *text, struct err *e)
{
	char beside[PATH_MAX + 32];
	int fd, rc = -1;

	snprintf(beside, sizeof(beside), "%s.new", file);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0) {
		rc = write_all(fd, text);
		close(fd);
	}
	if (rc < 0 || rename(beside, file) < 0)
		return err_set(e, ERR_INPUT, "%.200s: %s", beside, strerror(errno));
	return 0;
}

static void make_seal(char text[SECRET_TEXT_MAX])
{
	unsigned char random[BYTES];

	random_bytes(random, BYTES);
	text[base64_encode(text, random, BYTES)] = 0;
	explicit_bzero(random, sizeof(random));
}

static void make_root(char text[SECRET_TEXT_MAX])
{
	snprintf(text, SECRET_TEXT_MAX, "%s", ROOT_PREFIX);
	id_random(text + strlen(ROOT_PREFIX), ROOT_RANDOM);
}

int secret_load(const struct config *config, const char *name, secret_make_fn *make,
		char text[SECRET_TEXT_MAX], struct err *e)
{
	char file[PATH_MAX + 16], fresh[SECRET_TEXT_MAX] = "";
	int rc;

	if ((size_t)snprintf(file, sizeof(file), "%s/%s", config->data_dir, name) >= sizeof(file))
		return err_set(e, ERR_INPUT, "data_dir: too long");
	make(fresh);
	rc = read_secret(file, strlen(fresh), text, e);
	if (rc < 0 && e->kind == ERR_NOT_FOUND) {
		rc = write_secret(file, fresh, e);
		memcpy(text, fresh, sizeof(fresh));
	}
	explicit_bzero(fresh, sizeof(fresh));
	return rc;
}

static int prepare_setting(struct config *config, const char *setting, const char *name,
			   secret_make_fn *make, struct err *e)
{
	char text[SECRET_TEXT_MAX] = "";
	int rc = secret_load(config, name, make, text, e);

	if (rc == 0)
		rc = config_set(config, setting, text, "made, in data_dir", e);
	explicit_bzero(text, sizeof(text));
	return rc;
}

int secret_prepare(struct config *config, struct err *e)
{
	return *config->secret || *config->redis_url
		       ? 0
		       : prepare_setting(config, "secret", "secret", make_seal, e);
}

int secret_prepare_root_key(struct config *config, struct err *e)
{
	return *config->root_key ? 0
				 : prepare_setting(config, "root_key", "root-key", make_root, e);
}

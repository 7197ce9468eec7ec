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
#include "server/config/data_file.h"

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
	/* Made in any case: its length is what the file must have. */
	make(fresh);
	rc = read_secret(file, strlen(fresh), text, e);
	if (rc < 0 && e->kind == ERR_NOT_FOUND) {
		rc = data_file_write(file, fresh, 0600, e);
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
	/* With an external Redis, several machines need the same secret: the operator sets it. */
	return *config->secret || *config->redis_url
		       ? 0
		       : prepare_setting(config, "secret", "secret", make_seal, e);
}

int secret_prepare_root_key(struct config *config, struct err *e)
{
	return *config->root_key ? 0
				 : prepare_setting(config, "root_key", "root-key", make_root, e);
}

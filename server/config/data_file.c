/* Small files of the data directory. */
#include "server/config/data_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	return write(fd, text, len) == (ssize_t)len && write(fd, "\n", 1) == 1 && fsync(fd) == 0
		       ? 0
		       : -1;
}

static int write_synced(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int rc;

	if (fd < 0)
		return -1;
	rc = write_all(fd, text);
	return close(fd) < 0 ? -1 : rc;
}

/* A new name is on disk when its folder is. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int fd, rc;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1,
		 slash ? path : ".");
	fd = open(*folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	return close(fd) < 0 ? -1 : rc;
}

int data_file_write(const char *path, const char *text, mode_t mode, struct err *e)
{
	char beside[PATH_MAX];

	if (snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid()) >= (int)sizeof(beside))
		return err_set(e, ERR_INPUT, "%.200s: the path is too long", path);
	if (write_synced(beside, text, mode) == 0 && rename(beside, path) == 0 &&
	    sync_folder(path) == 0)
		return 0;
	err_set(e, ERR_INPUT, "%.200s: %s", path, strerror(errno));
	unlink(beside);
	return -1;
}

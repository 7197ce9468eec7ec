/* The data directory: it must exist and be writable. */
#include "server/supervisor/data_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const char *dir, struct err *e)
{
	return err_set(e, ERR_INPUT, "data_dir: %.150s: %s", dir, strerror(errno));
}

static int check_dir(const char *dir, struct err *e)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return refuse(dir, e);
	if (!S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	if (!S_ISDIR(st.st_mode) || access(dir, R_OK | W_OK | X_OK) < 0)
		return refuse(dir, e);
	return 0;
}

int data_dir_make(const char *dir, struct err *e)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s", dir) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return refuse(dir, e);
	}
	for (char *p = path + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return refuse(path, e);
		*p = c;
		if (!c)
			break;
	}
	return check_dir(dir, e);
}

int data_dir_check(const char *dir, struct err *e)
{
	char path[PATH_MAX];
	char *slash;

	if ((size_t)snprintf(path, sizeof(path), "%s", dir) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return refuse(dir, e);
	}
	while (access(path, F_OK) < 0 && errno == ENOENT) { /* up to a parent that exists */
		slash = strrchr(path, '/');
		if (!slash || slash == path) {
			snprintf(path, sizeof(path), "%s", slash ? "/" : ".");
			break;
		}
		*slash = 0;
	}
	return check_dir(path, e);
}

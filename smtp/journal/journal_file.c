/* The files of the journals: their names, their lock, and which owners have one. */
#include "smtp/journal/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smtp/journal/journal.h"

int journal_file_path(char *out, size_t cap, const char *data_dir, const char *owner, struct err *e)
{
	char dir[480];

	if (snprintf(dir, sizeof(dir), "%s/journal", data_dir) >= (int)sizeof(dir) ||
	    snprintf(out, cap, "%s/%s", dir, owner) >= (int)cap)
		return err_set(e, ERR_INPUT, "POSTERN_DATA_DIR: the path is too long");
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_INPUT, "%s: %s", dir, strerror(errno));
	return 0;
}

int journal_file_open(const char *path, int flags, struct err *e)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INPUT, "%s: %s", path,
			       strerror(errno));
	/* The kernel releases the lock when the process ends, however it ends. So a locked
	 * journal has an owner that is alive. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return err_set(e, ERR_RETRY, "%s is locked: its owner is alive", path);
	}
	return fd;
}

void journal_remove(const char *data_dir, const char *owner)
{
	char path[512];

	if (journal_file_path(path, sizeof(path), data_dir, owner, NULL) == 0)
		unlink(path);
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

/* The folder also has files that are being written, and damaged ones that are kept. */
static bool is_owner(const char *name)
{
	return name[0] != '.' && strlen(name) < 96 && !ends_with(name, JOURNAL_NEW) &&
	       !ends_with(name, JOURNAL_DAMAGED);
}

size_t journal_owners(const char *data_dir, char **owners, size_t max)
{
	const struct dirent *entry;
	char path[480];
	size_t n = 0;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/journal", data_dir) >= (int)sizeof(path))
		return 0;
	dir = opendir(path);
	while (dir && n < max && (entry = readdir(dir))) {
		owners[n] = is_owner(entry->d_name) ? strdup(entry->d_name) : NULL;
		if (owners[n])
			n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

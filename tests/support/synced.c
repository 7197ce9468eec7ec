/* Preloaded into redis-server: writes down how much of each file is on the disk for certain. A line
 * "inode length" for each fsync and fdatasync that succeeded, to the file that SYNCED_LOG names;
 * what was written while the call ran does not count. power.py cuts the files back to that. Each
 * call takes some ms, as with a disk, so that the power often fails within one. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_US 4000

typedef int sync_fn(int fd);

static void note(const struct stat *before)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%llu %lld\n", (unsigned long long)before->st_ino,
			   (long long)before->st_size);
	const char *path = getenv("SYNCED_LOG");
	int log = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (log < 0 || write(log, line, (size_t)len) != len)
		abort();
	close(log);
}

static int sync_with(const char *name, int fd)
{
	sync_fn *real = (sync_fn *)dlsym(RTLD_NEXT, name);
	struct stat before;
	int rc;

	if (!real || fstat(fd, &before) < 0)
		abort();
	usleep(SYNC_US);
	rc = real(fd);
	if (rc == 0)
		note(&before);
	return rc;
}

int fsync(int fd)
{
	return sync_with("fsync", fd);
}

int fdatasync(int fd)
{
	return sync_with("fdatasync", fd);
}

/* Removes a write that a power failure cut off from the end of Redis's append-only log. */
#include "server/supervisor/redis_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/supervisor/aof_tail.h"

#define MANIFEST "appendonly.aof.manifest"
#define CHECKER "redis-check-aof"
#define NO_CHECKER 127
/* More than Redis writes between two fsyncs. */
#define TAIL_MAX ((int64_t)64 << 20)
#define NAME_BYTES 256

/* The output of redis-check-aof for the last file that it read. */
struct verdict {
	char file[NAME_BYTES];
	int64_t size, good; /* bytes; good: up to the last whole command or transaction */
};

static void read_verdict(FILE *from, struct verdict *v)
{
	char line[1024];

	while (fgets(line, sizeof(line), from))
		sscanf(line, "AOF analyzed: filename=%255[^,], size=%" SCNd64 ", ok_up_to=%" SCNd64,
		       v->file, &v->size, &v->good);
}

static _Noreturn void become_checker(const char *manifest, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execlp(CHECKER, CHECKER, manifest, (char *)NULL);
	_exit(NO_CHECKER);
}

/* Returns the exit status of redis-check-aof, or -1. */
static int run_checker(const char *manifest, struct verdict *v, struct err *e)
{
	int fds[2], status = 0;
	FILE *from;
	pid_t pid;

	if (pipe(fds) < 0)
		return err_set(e, ERR_INPUT, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		become_checker(manifest, fds[1]);
	close(fds[1]);
	from = fdopen(fds[0], "r");
	if (from) {
		read_verdict(from, v);
		fclose(from);
	} else {
		close(fds[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return err_set(e, ERR_INPUT, CHECKER " did not run to its end");
	if (WEXITSTATUS(status) == NO_CHECKER)
		return err_set(e, ERR_INPUT,
			       CHECKER " is not in PATH: install it (apt-get install redis-tools)");
	return WEXITSTATUS(status);
}

/* Redis writes to the last file of the manifest ("file NAME seq 1 type i"). */
static bool is_last(const char *manifest, const char *file)
{
	char line[1024], name[NAME_BYTES] = "", type = 0;
	FILE *f = fopen(manifest, "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "file %255s seq %*s type %c", name, &type);
	if (f)
		fclose(f);
	return type == 'i' && strcmp(name, file) == 0;
}

/* ---- the end of the file ---- */

static char *read_tail(int fd, const struct verdict *v, struct err *e)
{
	size_t len = (size_t)(v->size - v->good), n = 0;
	char *tail = malloc(len);

	if (!tail) {
		err_oom(e);
		return NULL;
	}
	while (n < len) {
		ssize_t got = pread(fd, tail + n, len - n, v->good + (off_t)n);

		if (got <= 0) {
			err_set(e, ERR_INPUT, "%s: %s", v->file, got ? strerror(errno) : "short");
			free(tail);
			return NULL;
		}
		n += (size_t)got;
	}
	return tail;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

static int keep_tail(int dir_fd, const char *name, const char *tail, size_t len, struct err *e)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int failed = fd < 0 || write_all(fd, tail, len) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return failed ? err_set(e, ERR_INPUT, "%s: %s", name, strerror(failed)) : 0;
}

static int cut_tail(int dir_fd, int fd, const struct verdict *v, struct err *e)
{
	size_t len = (size_t)(v->size - v->good);
	char kept[NAME_BYTES + 32], *name = kept;
	char *tail;
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size != v->size)
		return err_set(e, ERR_REFUSED,
			       "%s has changed meanwhile: stop Redis first; nothing was changed",
			       v->file);
	tail = read_tail(fd, v, e);
	if (!tail)
		return -1;
	if (aof_tail_check(tail, len) != AOF_TAIL_UNFINISHED) {
		free(tail);
		return err_set(e, ERR_REFUSED,
			       "%s is damaged at byte %" PRId64
			       ", and more than one unfinished write follows; nothing was changed. "
			       "`" CHECKER "` shows details",
			       v->file, v->good);
	}
	snprintf(kept, sizeof(kept), "unfinished-%" PRId64 "-%s", clock_real_ms(), v->file);
	if (keep_tail(dir_fd, name, tail, len, e) < 0) {
		free(tail);
		return -1;
	}
	free(tail);
	if (ftruncate(fd, v->good) < 0 || fsync(fd) < 0)
		return err_set(e, ERR_INPUT, "%s: %s", v->file, strerror(errno));
	LOG(LOG_WARN, "redis.log_mended", LOG_S("file", v->file), LOG_N("bytes", (int64_t)len),
	    LOG_S("kept", name),
	    LOG_S("hint", "a power failure interrupted the last write, which was never confirmed"));
	return 0;
}

static int cut_file(const char *dir, const struct verdict *v, struct err *e)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir_fd < 0 ? -1 : openat(dir_fd, v->file, O_RDWR | O_CLOEXEC);
	int rc = fd < 0 ? err_set(e, ERR_INPUT, "%.200s: %s", dir, strerror(errno))
			: cut_tail(dir_fd, fd, v, e);

	if (fd >= 0)
		close(fd);
	if (dir_fd >= 0)
		close(dir_fd);
	return rc;
}

/* "" when there is no manifest. */
static int find_manifest(const char *dir, char path[PATH_MAX], struct err *e)
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/" MANIFEST, dir) >= PATH_MAX)
		return err_set(e, ERR_INPUT, "the path is too long");
	if (access(path, F_OK) == 0)
		return 0;
	*path = 0;
	return errno == ENOENT ? 0 : err_set(e, ERR_INPUT, "%.200s: %s", dir, strerror(errno));
}

int redis_log_mend(const char *dir, struct err *e)
{
	struct verdict v = {0};
	char manifest[PATH_MAX];
	int status;

	if (find_manifest(dir, manifest, e) < 0)
		return -1;
	if (!*manifest)
		return 0;
	status = run_checker(manifest, &v, e);
	if (status <= 0)
		return status;
	if (v.good < v.size && v.size - v.good <= TAIL_MAX && is_last(manifest, v.file))
		return cut_file(dir, &v, e);
	return err_set(e, ERR_REFUSED,
		       "the log in %.200s is damaged; nothing was changed. `" CHECKER " " MANIFEST
		       "` in it shows details; restore a backup",
		       dir);
}

/* Redis creates appendonlydir in a directory that exists. */
static bool is_parent_there(const char *dir)
{
	char path[PATH_MAX];

	return (size_t)snprintf(path, sizeof(path), "%s", dir) < sizeof(path) &&
	       access(dirname(path), F_OK) == 0;
}

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	size_t n = 0;

	if (!d)
		return false;
	while ((entry = readdir(d)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(d);
	return n == 0;
}

int redis_log_check_dir(const char *dir, bool *is_new, struct err *e)
{
	char path[PATH_MAX];
	struct stat st;

	if (find_manifest(dir, path, e) < 0)
		return -1;
	*is_new = false;
	if (*path)
		return 0;
	if (snprintf(path, sizeof(path), "%s/appendonlydir/" MANIFEST, dir) > 0 &&
	    access(path, F_OK) == 0)
		return err_set(e, ERR_INPUT, "%.200s: the log is in %.200s/appendonlydir", dir,
			       dir);
	*is_new = stat(dir, &st) < 0 ? is_parent_there(dir) : is_empty(dir);
	if (*is_new)
		return 0;
	return err_set(e, ERR_INPUT,
		       "%.200s: no " MANIFEST " there; the directory appendonlydir of a Redis 7 is "
		       "expected",
		       dir);
}

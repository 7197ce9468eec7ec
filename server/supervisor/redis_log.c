/* Cuts off what a power failure left unfinished at the end of Redis's log. */
#define _GNU_SOURCE /* memmem */
#include "server/supervisor/redis_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
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

#define MANIFEST "appendonly.aof.manifest"
#define CHECKER "redis-check-aof"
#define NO_CHECKER 127
/* More than one turn of Redis's loop can have left unsynced is no unfinished end. */
#define TAIL_MAX ((int64_t)64 << 20)
#define NAME_BYTES 256

/* What the checker says of the last file it looked at. */
struct verdict {
	char file[NAME_BYTES];
	int64_t size, good; /* bytes */
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

/* Its exit status, or -1. */
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

/* The file that Redis writes to: the last one of the manifest ("file NAME seq 1 type i"). */
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

static bool has(const char *bytes, size_t len, const char *what)
{
	return memmem(bytes, len, what, strlen(what)) != NULL;
}

/* One that a later start of Redis wrote on behind (it begins with SELECT), or with a whole
 * transaction in it, is more than an unfinished end. */
static bool is_unfinished(const char *tail, size_t len)
{
	return !has(tail, len, "$4\r\nEXEC\r\n") && !has(tail, len, "$6\r\nSELECT\r\n");
}

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

static int keep(int dir_fd, const char *name, const char *tail, size_t len, struct err *e)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int failed = fd < 0 || write_all(fd, tail, len) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return failed ? err_set(e, ERR_INPUT, "%s: %s", name, strerror(failed)) : 0;
}

static int cut(int dir_fd, int fd, const struct verdict *v, struct err *e)
{
	size_t len = (size_t)(v->size - v->good);
	char kept[NAME_BYTES + 32], *name = kept;
	char *tail = read_tail(fd, v, e);

	if (!tail)
		return -1;
	if (!is_unfinished(tail, len)) {
		free(tail);
		return err_set(e, ERR_REFUSED,
			       "%s is damaged at byte %" PRId64
			       ", and more was written behind that: see what " CHECKER " says",
			       v->file, v->good);
	}
	snprintf(kept, sizeof(kept), "unfinished-%" PRId64 "-%s", clock_real_ms(), v->file);
	if (keep(dir_fd, name, tail, len, e) < 0) {
		free(tail);
		return -1;
	}
	free(tail);
	if (ftruncate(fd, v->good) < 0 || fsync(fd) < 0)
		return err_set(e, ERR_INPUT, "%s: %s", v->file, strerror(errno));
	LOG(LOG_WARN, "redis.log_mended", LOG_S("file", v->file), LOG_N("bytes", (int64_t)len),
	    LOG_S("kept", name),
	    LOG_S("hint", "a power failure cut off the last transaction; nobody was told that it "
			  "was done"));
	return 0;
}

static int open_and_cut(const char *dir, const struct verdict *v, struct err *e)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir_fd < 0 ? -1 : openat(dir_fd, v->file, O_RDWR | O_CLOEXEC);
	int rc = fd < 0 ? err_set(e, ERR_INPUT, "%.200s: %s", dir, strerror(errno))
			: cut(dir_fd, fd, v, e);

	if (fd >= 0)
		close(fd);
	if (dir_fd >= 0)
		close(dir_fd);
	return rc;
}

int redis_log_mend(const char *dir, struct err *e)
{
	struct verdict v = {0};
	char manifest[PATH_MAX];
	int status;

	if ((size_t)snprintf(manifest, sizeof(manifest), "%s/" MANIFEST, dir) >= sizeof(manifest))
		return err_set(e, ERR_INPUT, "the path is too long");
	if (access(manifest, F_OK) < 0)
		return errno == ENOENT ? 0
				       : err_set(e, ERR_INPUT, "%.200s: %s", dir, strerror(errno));
	status = run_checker(manifest, &v, e);
	if (status <= 0)
		return status;
	if (v.good < v.size && v.size - v.good <= TAIL_MAX && is_last(manifest, v.file))
		return open_and_cut(dir, &v, e);
	return err_set(e, ERR_REFUSED,
		       "the log in %.200s is damaged: see what `" CHECKER " " MANIFEST
		       "` says there, and restore a backup if there is one",
		       dir);
}

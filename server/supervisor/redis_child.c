/* The embedded Redis: directory, lock, socket, command line. */
#include "server/supervisor/redis_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/supervisor/data_dir.h"
#include "server/supervisor/process.h"
#include "server/supervisor/redis_log.h"

#define SOCKET "redis.sock"
#define PATH_BYTES (PATH_MAX + 32)
/* The Redis of a killed Postern may hold the lock for this long. */
#define LEFTOVER_MS 10000

static int join_path(const struct config *config, const char *name, char *out, size_t len,
		     struct err *e)
{
	char dir[PATH_MAX];

	if (!realpath(config->data_dir, dir))
		return err_set(e, ERR_INPUT, "data_dir: %s: %s", config->data_dir, strerror(errno));
	if ((size_t)snprintf(out, len, "%s/%s", dir, name) >= len)
		return err_set(e, ERR_INPUT, "data_dir: %s: too long", config->data_dir);
	return 0;
}

/* sun_path has 108 bytes (unix(7)). */
static int socket_address(const struct config *config, struct sockaddr_un *addr, struct err *e)
{
	char path[PATH_BYTES];

	if (join_path(config, SOCKET, path, sizeof(path), e) < 0)
		return -1;
	if (strlen(path) >= sizeof(addr->sun_path))
		return err_set(e, ERR_INPUT,
			       "data_dir: %.120s: too long by %zu bytes: the path of a Unix socket "
			       "in it may have %zu",
			       config->data_dir, strlen(path) - sizeof(addr->sun_path) + 1,
			       sizeof(addr->sun_path) - 1);
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(addr->sun_path, path, strlen(path) + 1);
	return 0;
}

int redis_child_url(const struct config *config, char *url, size_t len, struct err *e)
{
	struct sockaddr_un addr;

	if (socket_address(config, &addr, e) < 0)
		return -1;
	snprintf(url, len, "unix://%s", addr.sun_path);
	return 0;
}

bool redis_child_is_up(const struct config *config)
{
	struct sockaddr_un addr;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_up;

	if (fd < 0 || socket_address(config, &addr, NULL) < 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	is_up = connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;
	close(fd);
	return is_up;
}

/* ---- the lock ---- */

static pid_t read_owner(int fd)
{
	char text[24] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static int write_owner(int fd, struct err *e)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return err_set(e, ERR_INPUT, "data_dir: the lock file: %s", strerror(errno));
	return 0;
}

/* Takes the lock. Fails at once if its owner is alive; waits until the children of a dead owner
 * have ended. */
static int take_lock(int fd, const struct config *config, struct err *e)
{
	int64_t until = clock_mono_ms() + LEFTOVER_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		const struct timespec pause = {.tv_nsec = 50000000};
		pid_t owner = read_owner(fd);
		/* In containers every Postern is PID 1, so our own PID in the file proves nothing.
		 */
		bool is_alive =
			owner > 0 && owner != getpid() && (kill(owner, 0) == 0 || errno == EPERM);

		if (is_alive || clock_mono_ms() > until)
			return err_set(e, ERR_REFUSED,
				       "another postern is using %.120s (pid %ld); stop it, or "
				       "choose another POSTERN_DATA_DIR",
				       config->data_dir, (long)owner);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int open_lock(struct redis_child *r, const struct config *config, struct err *e)
{
	char path[PATH_BYTES];

	if (join_path(config, "lock", path, sizeof(path), e) < 0)
		return -1;
	r->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (r->lock_fd < 0)
		return err_set(e, ERR_INPUT, "%.200s: %s", path, strerror(errno));
	if (take_lock(r->lock_fd, config, e) < 0 || write_owner(r->lock_fd, e) < 0) {
		redis_child_release(r);
		return -1;
	}
	return 0;
}

void redis_child_release(struct redis_child *r)
{
	if (r->lock_fd >= 0)
		close(r->lock_fd);
	r->lock_fd = -1;
}

static int find_server(struct err *e)
{
	const char *path = getenv("PATH");
	char file[PATH_BYTES];

	for (path = path ? path : "/usr/bin:/bin"; *path;) {
		size_t len = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/redis-server",
			 (int)(len < PATH_MAX ? len : PATH_MAX), path);
		if (access(file, X_OK) == 0)
			return 0;
		path += len + (path[len] == ':');
	}
	return err_set(e, ERR_INPUT,
		       "redis-server is not in PATH: install it (apt-get install redis-server), or "
		       "set POSTERN_REDIS_URL");
}

int redis_child_prepare(struct redis_child *r, struct config *config, struct err *e)
{
	struct sockaddr_un addr;
	char dir[PATH_BYTES];

	r->lock_fd = -1;
	if (find_server(e) < 0 || data_dir_make(config->data_dir, e) < 0 ||
	    socket_address(config, &addr, e) < 0 ||
	    redis_child_url(config, r->url, sizeof(r->url), e) < 0 ||
	    join_path(config, "redis", dir, sizeof(dir), e) < 0 || data_dir_make(dir, e) < 0 ||
	    open_lock(r, config, e) < 0)
		return -1;
	unlink(addr.sun_path);
	config->redis_url = r->url;
	return 0;
}

/* ---- the child ---- */

/* An error is only logged: Redis decides whether it loads a log that is damaged in another way. */
static int mend_log(const char *redis_dir)
{
	char dir[PATH_BYTES + 16];
	struct err e;

	snprintf(dir, sizeof(dir), "%s/appendonlydir", redis_dir);
	if (redis_log_mend(dir, &e) == 0)
		return 0;
	LOG(LOG_ERROR, "redis.log_not_mended", LOG_S("reason", e.text));
	return e.kind == ERR_REFUSED ? 0 : -1;
}

int redis_child_run(const struct role_context *ctx)
{
	struct sockaddr_un addr;
	char dir[PATH_BYTES], memory[24];
	struct err e;

	/* maxmemory: a full Redis refuses mail; without a limit it would use all memory of the
	 * machine. rdbcompression no: contents are already compressed. Rewrites stall Redis, so
	 * they start at 512 MB only, which take 3 s to load. */
	snprintf(memory, sizeof(memory), "%lld", (long long)process_memory_bytes() / 2);
	if (socket_address(ctx->config, &addr, &e) < 0 ||
	    join_path(ctx->config, "redis", dir, sizeof(dir), &e) < 0) {
		LOG(LOG_ERROR, "redis.not_started", LOG_S("reason", e.text));
		return 1;
	}
	if (mend_log(dir) < 0)
		return 1;
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", addr.sun_path,
	       "--unixsocketperm", "700", "--dir", dir, "--logfile", "redis.log", "--daemonize",
	       "no", "--supervised", "no", "--databases", "1", "--save", "", "--appendonly", "yes",
	       "--appendfsync", "always", "--maxmemory", memory, "--maxmemory-policy", "noeviction",
	       "--aof-load-truncated", "no", "--rdbcompression", "no",
	       "--auto-aof-rewrite-min-size", "512mb", "--enable-debug-command", "no",
	       (char *)NULL);
	LOG(LOG_ERROR, "redis.not_started", LOG_S("reason", strerror(errno)));
	return 1;
}

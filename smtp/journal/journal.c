/* Keeps the results of final dots on disk until the store has them. */
#include "smtp/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "smtp/journal/journal_file.h"

/* An entry: "ref epoch retry_ms length\n", then length bytes of results, then "\n". */

#define GROWN_BYTES (4 << 20)
#define SYNC_AFTER_MS 1000
#define HEAD_MAX 128           /* the first line of an entry, and the end of the entry */
#define ROOM_BYTES (256 << 10) /* free space needed after a failed write */

struct entry {
	struct entry *next;
	uint64_t number;
	int64_t at_ms;
	size_t len;
	char text[];
};

struct journal {
	char path[512];
	int fd;
	off_t size, rewrite_at;
	bool is_full; /* the last write failed */
	struct entry *first, **last;
	size_t n_open;
	uint64_t next;
	struct loop_timer sync;
	uint64_t n_synced;  /* entries up to this number are on disk, or fdatasync runs */
	atomic_int sync_fd; /* descriptor of the running helper thread; -1 = none */
};

/* ---- the helper thread ---- */

static void *sync_file(void *arg)
{
	struct journal *j = arg;
	int fd = atomic_load(&j->sync_fd);

	if (fdatasync(fd) < 0)
		LOG(LOG_ERROR, "journal.sync_failed", LOG_S("reason", strerror(errno)));
	close(fd);
	atomic_store(&j->sync_fd, -1);
	return NULL;
}

static void start_sync(struct journal *j)
{
	pthread_t thread;
	int fd = fcntl(j->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return;
	atomic_store(&j->sync_fd, fd);
	if (pthread_create(&thread, NULL, sync_file, j) != 0) {
		close(fd);
		atomic_store(&j->sync_fd, -1);
		return;
	}
	pthread_detach(thread);
	j->n_synced = j->next - 1;
}

static bool needs_sync(const struct journal *j)
{
	const struct entry *it = j->first;

	while (it && it->number <= j->n_synced)
		it = it->next;
	return it && clock_mono_ms() - it->at_ms > SYNC_AFTER_MS;
}

/* Writes are allowed again when there is room. */
static void probe_room(struct journal *j)
{
	int error = posix_fallocate(j->fd, j->size, ROOM_BYTES);

	if (ftruncate(j->fd, j->size) < 0 || error)
		return;
	LOG(LOG_INFO, "journal.can_write", LOG_S("file", j->path));
	j->is_full = false;
}

static void check_sync(void *arg)
{
	struct journal *j = arg;

	loop_timer_set(&j->sync, SYNC_AFTER_MS / 4);
	if (atomic_load(&j->sync_fd) < 0 && needs_sync(j))
		start_sync(j);
	if (j->is_full)
		probe_room(j);
}

/* ---- for the owner ---- */

int journal_open(struct journal **out, struct loop *loop, const char *data_dir, const char *owner,
		 struct err *e)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j)
		return err_oom(e);
	j->last = &j->first;
	j->next = 1;
	j->rewrite_at = GROWN_BYTES;
	atomic_init(&j->sync_fd, -1);
	j->fd = -1;
	if (journal_file_path(j->path, sizeof(j->path), data_dir, owner, e) < 0)
		goto fail;
	j->fd = journal_file_open(j->path, O_RDWR | O_CREAT | O_APPEND, e);
	if (j->fd < 0 || loop_timer_init(&j->sync, loop, check_sync, j) < 0)
		goto fail;
	loop_timer_set(&j->sync, SYNC_AFTER_MS);
	*out = j;
	return 0;
fail:
	if (j->fd >= 0)
		close(j->fd);
	free(j);
	return -1;
}

/* Writes a new file with the open entries. The old file stays until the new one is complete. */
static void rewrite_file(struct journal *j)
{
	char path[520];
	struct buf all = {0};
	struct err e;
	int fd;

	snprintf(path, sizeof(path), "%s" JOURNAL_NEW, j->path);
	unlink(path);
	fd = journal_file_open(path, O_RDWR | O_CREAT | O_APPEND, &e);
	for (struct entry *it = j->first; it; it = it->next)
		buf_append(&all, it->text, it->len);
	if (fd < 0 || all.failed || write(fd, all.data, all.len) != (ssize_t)all.len ||
	    fdatasync(fd) < 0 || rename(path, j->path) < 0) {
		if (fd >= 0)
			close(fd);
	} else {
		close(j->fd);
		j->fd = fd;
		j->size = (off_t)all.len;
		j->n_synced = j->next - 1;
	}
	/* Do not rewrite at each entry while most entries are open or the disk is full. */
	j->rewrite_at = j->size * 2 > GROWN_BYTES ? j->size * 2 : GROWN_BYTES;
	buf_deinit(&all);
}

uint64_t journal_add(struct journal *j, const char *ref, int64_t epoch, int64_t retry_ms,
		     const char *results)
{
	size_t len = strlen(results), cap = len + HEAD_MAX;
	struct entry *it = malloc(sizeof(*it) + cap);

	if (!it)
		return 0;
	it->len = (size_t)snprintf(it->text, cap, "%s %" PRId64 " %" PRId64 " %zu\n%s\n", ref,
				   epoch, retry_ms, len, results);
	if (write(j->fd, it->text, it->len) != (ssize_t)it->len) {
		LOG(LOG_ERROR, "journal.cannot_write", LOG_S("file", j->path),
		    LOG_S("reason", strerror(errno)));
		if (ftruncate(j->fd, j->size) < 0)
			LOG(LOG_ERROR, "journal.torn", LOG_S("file", j->path));
		j->is_full = true;
		free(it);
		return 0;
	}
	j->size += (off_t)it->len;
	it->number = j->next++;
	it->at_ms = clock_mono_ms();
	it->next = NULL;
	*j->last = it;
	j->last = &it->next;
	j->n_open++;
	if (j->size > j->rewrite_at)
		rewrite_file(j);
	return it->number;
}

void journal_confirm(struct journal *j, uint64_t number)
{
	struct entry **p = &j->first, *it;

	while (*p && (*p)->number != number)
		p = &(*p)->next;
	it = *p;
	if (!it)
		return;
	*p = it->next;
	if (!it->next)
		j->last = p;
	free(it);
	j->n_open--;
	if (j->n_open == 0 && j->size > 0 && ftruncate(j->fd, 0) == 0) {
		j->size = 0;
		j->rewrite_at = GROWN_BYTES;
	}
}

bool journal_can_write(const struct journal *j)
{
	return !j->is_full;
}

size_t journal_n_open(const struct journal *j)
{
	return j->n_open;
}

void journal_close(struct journal *j, bool holds_leases)
{
	if (!j)
		return;
	loop_timer_deinit(&j->sync);
	while (atomic_load(&j->sync_fd) >= 0)
		usleep(1000); /* only at the end of the process */
	if (j->n_open == 0 && !holds_leases)
		unlink(j->path);
	while (j->first) {
		struct entry *it = j->first;

		j->first = it->next;
		free(it);
	}
	close(j->fd);
	free(j);
}

/* ---- for recovery ---- */

static int read_all(int fd, struct buf *out)
{
	ssize_t n;

	do {
		char *to = buf_reserve(out, 65536);

		n = to ? read(fd, to, 65536) : -1;
		if (n > 0)
			out->len += (size_t)n;
	} while (n > 0);
	if (out->data)
		out->data[out->len] = 0;
	return n < 0 ? -1 : 0;
}

/* One entry at p; NULL when it is torn or damaged. */
static char *next_entry(char *p, const char *end, struct journal_entry *out)
{
	size_t len;
	int n = 0;
	char head[HEAD_MAX];

	/* sscanf measures all of its input: give it one line. */
	snprintf(head, sizeof(head), "%.*s", (int)strcspn(p, "\n"), p);
	if (sscanf(head, "%39s %" SCNd64 " %" SCNd64 " %zu%n", out->ref, &out->epoch,
		   &out->retry_ms, &len, &n) != 4 ||
	    p[n] != '\n' || len > (size_t)(end - p - n) || (size_t)(end - p - n) < len + 2)
		return NULL;
	p += n + 1;
	if (p[len] != '\n')
		return NULL;
	p[len] = 0;
	out->results = p;
	return p + len + 1;
}

/* Skips lines until one begins an entry. Adds the skipped octets. NULL: there is no further entry.
 */
static char *find_entry(char *p, const char *end, struct journal_entry *out, size_t *skipped)
{
	while (p < end) {
		char *after = next_entry(p, end, out), *line_end;

		if (after)
			return after;
		line_end = memchr(p, '\n', (size_t)(end - p));
		after = line_end ? line_end + 1 : p + (end - p);
		*skipped += (size_t)(after - p);
		p = after;
	}
	return NULL;
}

static void keep_damaged(const char *path, size_t skipped)
{
	const char *kept = path;
	char copy[528];

	snprintf(copy, sizeof(copy), "%s" JOURNAL_DAMAGED, path);
	unlink(copy);
	if (link(path, copy) == 0)
		kept = copy;
	LOG(LOG_ERROR, "journal.damaged", LOG_S("file", kept),
	    LOG_N("unreadable_bytes", (int64_t)skipped));
}

int journal_read(const char *data_dir, const char *owner, journal_fn *fn, void *arg, struct err *e)
{
	struct journal_entry entry;
	struct buf all = {.limit = SIZE_MAX / 2};
	char path[512], *p;
	size_t skipped = 0;
	int fd;

	if (journal_file_path(path, sizeof(path), data_dir, owner, e) < 0)
		return -1;
	fd = journal_file_open(path, O_RDWR, e);
	if (fd < 0)
		return -1;
	if (read_all(fd, &all) < 0) {
		err_set(e, ERR_INTERNAL, "%s: %s", path, strerror(errno));
		close(fd);
		buf_deinit(&all);
		return -1;
	}
	p = all.data;
	while (p && (p = find_entry(p, all.data + all.len, &entry, &skipped)))
		fn(&entry, arg);
	if (skipped)
		keep_damaged(path, skipped);
	close(fd);
	buf_deinit(&all);
	return 0;
}

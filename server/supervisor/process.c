/* Limits and attributes of a Postern process. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "server/supervisor/process.h"

#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Some containers set the hard limit to a billion, and some libraries loop up to it. */
#define FILES_MAX 1048576

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

/* Memory of this size and more goes back to the system when it is freed. By default glibc raises
 * the size up to 32 MB, and then keeps gaps where large bodies and mails were. */
#define LARGE_BYTES (512 << 10)

static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max > FILES_MAX ? FILES_MAX : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void process_prepare(void)
{
	const struct rlimit none = {0, 0};

	if (!IS_SANITIZED) { /* the leak checker needs ptrace */
		setrlimit(RLIMIT_CORE, &none);
		prctl(PR_SET_DUMPABLE, 0);
	}
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	raise_files();
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	setenv("LC_ALL", "C", 1);
}

/* The first line of a cgroup v2 file; "" if there is no file. */
static void read_limit(const char *file, char line[64])
{
	FILE *f = fopen(file, "re");

	line[0] = 0;
	if (!f)
		return;
	if (!fgets(line, 64, f))
		line[0] = 0;
	fclose(f);
}

/* "max 100000" or "150000 100000". 0 = no quota. */
static unsigned quota_cores(void)
{
	unsigned long quota, period;
	char line[64], *end;

	read_limit("/sys/fs/cgroup/cpu.max", line);
	quota = strtoul(line, &end, 10);
	if (end == line)
		return 0;
	period = strtoul(end, NULL, 10);
	return period ? (unsigned)((quota + period - 1) / period) : 0;
}

unsigned process_cores(void)
{
	unsigned quota = quota_cores(), n = 1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (unsigned)CPU_COUNT(&set);
	if (quota && quota < n)
		n = quota;
	return n ? n : 1;
}

int64_t process_memory_bytes(void)
{
	int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), limit;
	char line[64];

	read_limit("/sys/fs/cgroup/memory.max", line);
	limit = strtoll(line, NULL, 10); /* 0 for "max" */
	return limit > 0 && limit < all ? limit : all;
}

/* postern redis mend: prepares the log of a Redis of your own for its start. */
#include <stdio.h>

#include "server/base/log.h"
#include "server/cli/cli.h"
#include "server/cli/options.h"
#include "server/supervisor/redis_log.h"

static int mend(const char *dir, struct err *e)
{
	bool is_new;

	if (redis_log_check_dir(dir, &is_new, e) < 0)
		return -1;
	if (is_new)
		printf("%s: no log yet, nothing to mend\n", dir);
	return is_new ? 0 : redis_log_mend(dir, e);
}

static int run(int argc, char **argv)
{
	static const struct option_row rows[] = {{NULL, NULL, NULL}};
	const char *dir = NULL;
	struct err e;
	int n = options_read(argc, argv, rows, &dir, 1, &e);

	if (n == 0)
		err_set(&e, ERR_INPUT, "the directory of the log is expected");
	if (n != 1)
		return cli_report_usage(&command_redis_mend, &e);
	log_init(LOG_INFO, LOG_FORMAT_TEXT, "postern");
	return mend(dir, &e) < 0 ? cli_report_error(&command_redis_mend, &e) : CLI_DONE;
}

const struct command command_redis_mend = {
	.name = "redis mend",
	.summary = "remove a write that a power failure cut off from Redis's log",
	.help = "Usage: postern redis mend DIRECTORY\n\n"
		"  DIRECTORY  the directory appendonlydir of a Redis 7 that does not run\n\n"
		"Run it before each start of a Redis of your own, and set `aof-load-truncated no`\n"
		"there. If a power failure cuts off a transaction at the end of the log, Redis\n"
		"keeps the first half of it, and runs that half at the start after the next one.\n"
		"This command removes the half, and keeps it in a file beside the log. A log that\n"
		"is damaged in another way is not changed, and the exit status is 1.\n"
		"`postern serve` does this for the embedded Redis, docker/compose.yaml for its "
		"own.\n\n"
		"Example:\n  postern redis mend /var/lib/redis/appendonlydir\n",
	.run = run,
};

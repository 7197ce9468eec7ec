/* postern redis mend: before a Redis of one's own starts. */
#include "server/base/log.h"
#include "server/cli/cli.h"
#include "server/cli/options.h"
#include "server/supervisor/redis_log.h"

static int run(int argc, char **argv)
{
	static const struct option_row rows[] = {{NULL, NULL, NULL}};
	const char *dir = NULL;
	struct err e;
	int n = options_read(argc, argv, rows, &dir, 1, &e);

	if (n == 0)
		err_set(&e, ERR_INPUT, "it needs the directory of the log");
	if (n != 1)
		return cli_usage(&command_redis_mend, &e);
	log_init(LOG_INFO, LOG_FORMAT_TEXT, "postern");
	return redis_log_mend(dir, &e) < 0 ? cli_failed(&command_redis_mend, &e) : CLI_DONE;
}

const struct command command_redis_mend = {
	.name = "redis mend",
	.summary = "cut off what a power failure left unfinished in Redis's log",
	.help = "Usage: postern redis mend DIRECTORY\n\n"
		"  DIRECTORY  of the append-only log (dir/appendonlydir of a Redis 7), which must "
		"not run\n\n"
		"For a Redis of your own: run it each time before redis-server starts, and set\n"
		"`aof-load-truncated no` there. Redis keeps the half of a transaction that a "
		"power\n"
		"failure left at the end of its log, and runs that half at the start after the "
		"next.\n"
		"What is cut off is kept beside the log. With a log that is damaged in another "
		"way,\n"
		"nothing is changed and the exit status is 1. The embedded Redis, and that of\n"
		"docker/compose.yaml, do this by themselves.\n\n"
		"Example:\n  postern redis mend /var/lib/redis/appendonlydir\n",
	.run = run,
};

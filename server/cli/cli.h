#ifndef SERVER_CLI_CLI_H
#define SERVER_CLI_CLI_H

#include "server/config/config.h"
#include "server/base/err.h"

/* The command line: one command a file, one table in cli.c. Results go to stdout, everything else
 * to stderr. */

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct command {
	const char *name; /* "key create" */
	const char *summary;
	const char *help;                  /* usage, options, an example */
	int (*run)(int argc, char **argv); /* without the name; gives the exit status */
};

extern const struct command command_serve, command_dev, command_key_create, command_key_list,
	command_key_revoke, command_project_create, command_config_check, command_config_show,
	command_config_table, command_health, command_redis_mend, command_version;

int cli_run(int argc, char **argv);

/* Say what is wrong, and give the exit status. */
int cli_failed(const struct command *c, const struct err *e);
int cli_usage(const struct command *c, const struct err *e);

/* Loads the configuration for c, wipes the secrets from the environment, and sets the log up. */
int cli_config(struct config **config, const char *file, const struct config_preset *presets,
	       struct err *e);

#endif

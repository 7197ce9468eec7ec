#ifndef SERVER_CLI_CLI_H
#define SERVER_CLI_CLI_H

#include "server/base/err.h"
#include "server/config/config.h"

/* The command line: one file per group of commands, one table in cli.c. Results go to stdout,
 * everything else to stderr. */

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct command {
	const char *name; /* "key create" */
	const char *summary;
	const char *help;                  /* usage, options, an example */
	int (*run)(int argc, char **argv); /* arguments after the name; returns the exit status */
};

extern const struct command command_serve, command_dev, command_key_create, command_key_list,
	command_key_revoke, command_project_create, command_project_list, command_project_set,
	command_project_delete, command_config_check, command_config_show, command_config_table,
	command_partitions, command_partitions_set, command_health, command_message_show,
	command_store_dump, command_redis_mend, command_version;

int cli_run(int argc, char **argv);

/* Print the error to stderr; return the exit status. */
int cli_report_error(const struct command *c, const struct err *e); /* CLI_FAILED */
int cli_report_usage(const struct command *c, const struct err *e); /* CLI_USAGE */

/* Loads the configuration, removes its secrets from the environment, and initialises the log. */
int cli_load_config(struct config **config, const char *file, const struct config_preset *presets,
		    struct err *e);

#endif

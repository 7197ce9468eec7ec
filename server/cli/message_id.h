#ifndef SERVER_CLI_MESSAGE_ID_H
#define SERVER_CLI_MESSAGE_ID_H

#include "server/cli/cli.h"
#include "server/cli/client.h"

/* Runs a command that takes "ID [--config FILE]", the id of a message: reads the arguments,
 * connects, and calls ask with the id as client's arg. Returns the exit status. */
int message_id_run(const struct command *command, int argc, char **argv, client_ask_fn *ask);

#endif

/* Commands about one message. */
#include "server/cli/message_id.h"

#include <stdio.h>

#include "server/base/id.h"
#include "server/cli/options.h"

int message_id_run(const struct command *command, int argc, char **argv, client_ask_fn *ask)
{
	const char *file = NULL, *given = NULL;
	const struct option_row rows[] = {{"--config", &file, NULL}, {NULL, NULL, NULL}};
	char id[ID_LEN + 1];
	struct err e;
	int n = options_read(argc, argv, rows, &given, 1, &e);

	if (n == 0 || (n == 1 && !id_valid("msg", given))) {
		err_set(&e, ERR_INPUT, "the id of a message is expected, like msg_0298255bb4...");
		n = -1;
	}
	if (n < 0)
		return cli_report_usage(command, &e);
	snprintf(id, sizeof(id), "%s", given);
	return client_run(file, client_reach, ask, id, &e) < 0 ? cli_report_error(command, &e)
							       : CLI_DONE;
}

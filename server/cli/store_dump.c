/* postern store dump: what Redis has of a message. */
#include <stdio.h>

#include "server/base/id.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/message_id.h"
#include "server/cli/output.h"
#include "server/store/messages/dump.h"

static void on_texts(const char *const *texts, size_t n, const struct err *why, void *arg)
{
	struct err e;

	for (size_t i = 0; texts && i < n; i++)
		printf("%s%s", texts[i], i ? "\n" : "\n\n");
	if (texts && output_flush(&e) < 0)
		why = &e;
	client_end(arg, why);
}

static void ask_dump(struct client *c)
{
	dump_message(c->redis, c->arg, on_texts, c);
}

static int dump(int argc, char **argv)
{
	return message_id_run(&command_store_dump, argc, argv, ask_dump);
}

const struct command command_store_dump = {
	.name = "store dump",
	.summary = "show what Redis has of a message",
	.help = "Usage: postern store dump ID [--config FILE]\n\n"
		"  ID              msg_..., of any project\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Prints the record of the message as it is stored, and its keys with type, size\n"
		"and expiry, but not the content. `postern message show` prints it for readers.\n\n"
		"Example:\n  postern store dump msg_06evzfk4p8a2j0v6n1y3t5w700\n",
	.run = dump,
};

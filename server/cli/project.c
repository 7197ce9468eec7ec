/* postern project create. */
#include <string.h>

#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/base/utf8.h"
#include "server/store/projects/keys.h"

static void created(const struct project *list, size_t n, const struct err *why, void *arg)
{
	(void)list;
	(void)n;
	client_end(arg, why);
}

static void ask(struct client *c, const void *name)
{
	projects_create(c->redis, name, created, c);
}

static int create(int argc, char **argv)
{
	const char *file = NULL, *name = NULL;
	const struct option_row rows[] = {{"--config", &file, NULL}, {NULL, NULL, NULL}};
	struct err e;
	int n = options_read(argc, argv, rows, &name, 1, &e);

	if (n >= 0 && (n != 1 || !*name || strlen(name) > 100))
		n = err_set(&e, ERR_INPUT, "a name of 1 to 100 characters is expected");
	if (n >= 0)
		n = utf8_check_line(name, strlen(name), "the name", &e);
	if (n < 0)
		return cli_usage(&command_project_create, &e);
	if (client_run(file, client_open, ask, name, &e) == 0)
		return CLI_DONE;
	err_prefix(&e, "%.60s", name);
	return cli_failed(&command_project_create, &e);
}

const struct command command_project_create = {
	.name = "project create",
	.summary = "make a project: a tenant with keys and messages of its own",
	.help = "Usage: postern project create NAME [--config FILE]\n\n"
		"Example:\n  postern project create shop && postern key create --project shop\n",
	.run = create,
};

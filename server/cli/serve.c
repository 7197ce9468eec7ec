/* postern serve: the gateway, until SIGTERM. */
#include <stdlib.h>

#include "server/cli/cli.h"
#include "server/supervisor/app.h"
#include "server/cli/options.h"

static int run(int argc, char **argv)
{
	const char *file = NULL, *roles = NULL;
	const struct option_row rows[] = {
		{"--config", &file, NULL}, {"--roles", &roles, NULL}, {NULL, NULL, NULL}};
	const struct app_options options = {.warns = true};
	struct config *config;
	struct err e;
	int status;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0)
		return cli_report_usage(&command_serve, &e);
	if (roles && setenv("POSTERN_ROLES", roles, 1) < 0) {
		err_oom(&e);
		return cli_report_error(&command_serve, &e);
	}
	if (cli_load_config(&config, file, NULL, &e) < 0)
		return cli_report_error(&command_serve, &e);
	status = app_run(config, &options, &e);
	config_free(config);
	return status < 0 ? cli_report_error(&command_serve, &e) : status;
}

const struct command command_serve = {
	.name = "serve",
	.summary = "run the gateway",
	.help = "Usage: postern serve [--config FILE] [--roles LIST]\n\n"
		"  --config FILE   instead of ./postern.yaml\n"
		"  --roles LIST    comma-separated list of api,relay,keeper,hooks; fewer than all\n"
		"                  need POSTERN_REDIS_URL\n\n"
		"SIGTERM stops it: it takes no new requests, and open deliveries may finish\n"
		"(POSTERN_DRAIN_S). SIGHUP reloads the configuration.\n\n"
		"Example:\n"
		"  POSTERN_LISTEN=0.0.0.0:8080 POSTERN_DATA_DIR=/var/lib/postern postern serve\n",
	.run = run,
};

/* postern health: for the health check of a container. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/cli/probe.h"

#define LIMIT_MS 3000

/* Prints the reason in a response of /readyz, without control characters. */
static void print_not_ready(const char *body)
{
	json_t *json = json_loads(body, 0, NULL);
	const char *reason = json_string_value(json_object_get(json, "reason"));

	printf("alive, not ready: ");
	for (const char *p = reason ? reason : "no reason given"; *p; p++)
		putchar((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
	putchar('\n');
	json_decref(json);
}

/* /readyz never waits for Redis, so any response means that the process is alive. */
static int check_health(const struct config *config, bool is_strict)
{
	struct probe_response response;
	struct err e;

	if (!(config->roles & ROLE_API)) {
		puts("nothing to check: this Postern does not have the role api");
		return CLI_DONE;
	}
	if (probe_get(config, false, "/readyz", LIMIT_MS, &response, &e) < 0)
		return cli_report_error(&command_health, &e);
	if (response.status == 200) {
		puts("ready");
		return CLI_DONE;
	}
	if (response.status != 503) {
		err_set(&e, ERR_REFUSED, "GET /readyz returned %d: this may be another program",
			response.status);
		return cli_report_error(&command_health, &e);
	}
	if (config_has_metrics(config))
		(void)!probe_get(config, true, "/readyz", LIMIT_MS, &response, NULL);
	print_not_ready(response.body);
	return is_strict ? CLI_FAILED : CLI_DONE;
}

static int run(int argc, char **argv)
{
	const char *file = NULL;
	bool is_strict = false;
	const struct option_row rows[] = {
		{"--config", &file, NULL}, {"--ready", NULL, &is_strict}, {NULL, NULL, NULL}};
	struct config *config;
	struct err e;
	int status;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0)
		return cli_report_usage(&command_health, &e);
	if (cli_load_config(&config, file, client_presets, &e) < 0)
		return cli_report_error(&command_health, &e);
	status = check_health(config, is_strict);
	config_free(config);
	return status;
}

const struct command command_health = {
	.name = "health",
	.summary = "check the Postern on this machine",
	.help = "Usage: postern health [--ready] [--config FILE]\n\n"
		"  --ready         fail also while it cannot accept mail, for example without "
		"Redis\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Sends a request to the first address of POSTERN_LISTEN and prints one line. The "
		"reason\n"
		"why it is not ready comes from POSTERN_METRICS_LISTEN.\n"
		"Exit status 0: it is alive; 1: it is not, or did not respond within 3 s. Restart\n"
		"it only when `postern health` without --ready fails: a restart does not bring\n"
		"Redis back. Without the role api it checks nothing, and the status is 0.\n\n"
		"Example:\n  POSTERN_LISTEN=127.0.0.1:8080 postern health --ready\n",
	.run = run,
};

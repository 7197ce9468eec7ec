/* postern config check, show and table: from the one table of settings. */
#include <stdio.h>

#include "server/base/buf.h"
#include "server/supervisor/preflight.h"
#include "server/cli/cli.h"
#include "server/cli/options.h"

static int print_text(const struct command *c, struct buf *out)
{
	struct err e;
	int status = CLI_DONE;

	if (out->failed) {
		err_oom(&e);
		status = cli_report_error(c, &e);
	} else {
		fwrite(buf_text(out), 1, out->len, stdout);
	}
	buf_deinit(out);
	return status;
}

static int load_config(const struct command *c, int argc, char **argv, struct config **config)
{
	const char *file = NULL;
	const struct option_row rows[] = {{"--config", &file, NULL}, {NULL, NULL, NULL}};
	struct err e;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0)
		return cli_report_usage(c, &e);
	if (cli_load_config(config, file, NULL, &e) < 0)
		return cli_report_error(c, &e);
	return CLI_DONE;
}

static int print_records(const struct config *config)
{
	struct buf out = {0};
	struct err e;

	if (preflight_records(config, &out, &e) < 0) {
		buf_deinit(&out);
		return cli_report_error(&command_config_check, &e);
	}
	return print_text(&command_config_check, &out);
}

static int run_check(int argc, char **argv)
{
	struct config *config = NULL;
	struct err e;
	int status = load_config(&command_config_check, argc, argv, &config);

	if (!config)
		return status;
	if (preflight_check(config, &e) < 0)
		status = cli_report_error(&command_config_check, &e);
	else
		puts("The configuration is usable.");
	if (status == CLI_DONE)
		status = print_records(config);
	if (status == CLI_DONE)
		preflight_warn(config);
	config_free(config);
	return status;
}

static int run_show(int argc, char **argv)
{
	struct config *config = NULL;
	struct buf out = {0};
	int status = load_config(&command_config_show, argc, argv, &config);

	if (!config)
		return status;
	config_show(config, &out);
	config_free(config);
	return print_text(&command_config_show, &out);
}

static int run_table(int argc, char **argv)
{
	const struct option_row rows[] = {{NULL, NULL, NULL}};
	struct buf out = {0};
	struct err e;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0)
		return cli_report_usage(&command_config_table, &e);
	config_table(&out);
	return print_text(&command_config_table, &out);
}

const struct command command_config_check = {
	.name = "config check",
	.summary = "check the configuration, and the files it names",
	.help = "Usage: postern config check [--config FILE]\n\n"
		"Exit status 0: usable; 1: not usable, with the reason. Warnings name settings "
		"that\n"
		"have no effect. With DKIM keys, the TXT records to publish are printed.\n\n"
		"Example:\n  postern config check --config /etc/postern/postern.yaml\n",
	.run = run_check,
};

const struct command command_config_show = {
	.name = "config show",
	.summary = "print every setting and where it came from, secrets masked",
	.help = "Usage: postern config show [--config FILE]\n\n"
		"Example:\n  POSTERN_LISTEN=[::]:8080 postern config show\n",
	.run = run_show,
};

const struct command command_config_table = {
	.name = "config table",
	.summary = "print all settings as a Markdown table",
	.help = "Usage: postern config table\n\nExample:\n  postern config table >settings.md\n",
	.run = run_table,
};

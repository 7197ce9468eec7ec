/* Finds the command that was meant, and runs it. */
#include "server/cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "server/base/log.h"

static const struct command *const commands[] = {
	&command_serve,        &command_dev,         &command_key_create,
	&command_key_list,     &command_key_revoke,  &command_project_create,
	&command_config_check, &command_config_show, &command_config_table,
	&command_health,       &command_redis_mend,  &command_version,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int cli_failed(const struct command *c, const struct err *e)
{
	fprintf(stderr, "postern %s: %s\n", c->name, e->text);
	return CLI_FAILED;
}

int cli_usage(const struct command *c, const struct err *e)
{
	fprintf(stderr, "postern %s: %s\n`postern %s --help` shows how.\n", c->name, e->text,
		c->name);
	return CLI_USAGE;
}

int cli_config(struct config **config, const char *file, const struct config_preset *presets,
	       struct err *e)
{
	if (config_load_preset(config, file, presets, e) < 0)
		return -1;
	config_forget_environment();
	log_init((enum log_level)(*config)->log_level, (enum log_format)(*config)->log_format,
		 "postern");
	return 0;
}

static int print_version(int argc, char **argv)
{
	(void)argv;
	if (argc > 0) {
		struct err e;

		err_set(&e, ERR_INPUT, "it takes no arguments");
		return cli_usage(&command_version, &e);
	}
	printf("postern %s\n", POSTERN_VERSION);
	return CLI_DONE;
}

const struct command command_version = {
	.name = "version",
	.summary = "print the version",
	.help = "Usage: postern version\n\nExample:\n  postern version\n",
	.run = print_version,
};

static void print_overview(FILE *out)
{
	fprintf(out, "Postern %s, an HTTP gateway for transactional email.\n\n", POSTERN_VERSION);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  postern %-16s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "  postern %-16s %s\n", "help", "print this list");
	fprintf(out, "\n`postern COMMAND --help` shows options and an example.\n");
}

/* How many arguments the name of c takes, if they are these; else 0. */
static int matches(const struct command *c, int argc, char **argv)
{
	const char *p = c->name;
	int n = 0;

	while (*p) {
		size_t len = strcspn(p, " ");

		if (n >= argc || strlen(argv[n]) != len || strncmp(argv[n], p, len) != 0)
			return 0;
		p += len + (p[len] == ' ');
		n++;
	}
	return n;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* "key" alone, or with a word that it does not know. */
static int unknown(const char *word)
{
	size_t len = strlen(word);

	fprintf(stderr, "postern: there is no command \"%.60s\"", word);
	for (size_t i = 0; i < COMMANDS; i++)
		if (strncmp(commands[i]->name, word, len) == 0)
			fprintf(stderr, "\n  postern %s", commands[i]->name);
	fprintf(stderr, "\n`postern help` lists all.\n");
	return CLI_USAGE;
}

static int run_command(const struct command *c, int argc, char **argv)
{
	if (!wants_help(argc, argv))
		return c->run(argc, argv);
	printf("postern %s: %s\n\n%s", c->name, c->summary, c->help);
	return CLI_DONE;
}

int cli_run(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : NULL;

	if (!first) {
		print_overview(stderr);
		return CLI_USAGE;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		int n = matches(commands[i], argc - 1, argv + 1);

		if (n)
			return run_command(commands[i], argc - 1 - n, argv + 1 + n);
	}
	if (strcmp(first, "--version") == 0)
		return print_version(0, NULL);
	if (strcmp(first, "help") == 0 || strcmp(first, "--help") == 0 ||
	    strcmp(first, "-h") == 0) {
		print_overview(stdout);
		return CLI_DONE;
	}
	return unknown(first);
}

/* Finds the command and runs it. */
#include "server/cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "server/base/log.h"
#include "server/base/spelling.h"

static const struct command *const commands[] = {
	&command_serve,          &command_dev,         &command_key_create,
	&command_key_list,       &command_key_revoke,  &command_project_create,
	&command_project_list,   &command_project_set, &command_project_delete,
	&command_config_check,   &command_config_show, &command_config_table,
	&command_partitions_set, &command_partitions,  &command_health,
	&command_message_show,   &command_store_dump,  &command_redis_mend,
	&command_version,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))
#define TYPED_MAX 60
#define MEANT_DISTANCE 3

int cli_report_error(const struct command *c, const struct err *e)
{
	fprintf(stderr, "postern %s: %s\n", c->name, e->text);
	return CLI_FAILED;
}

int cli_report_usage(const struct command *c, const struct err *e)
{
	fprintf(stderr, "postern %s: %s\n`postern %s --help` shows the usage.\n", c->name, e->text,
		c->name);
	return CLI_USAGE;
}

int cli_load_config(struct config **config, const char *file, const struct config_preset *presets,
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

		err_set(&e, ERR_INPUT, "no arguments are expected");
		return cli_report_usage(&command_version, &e);
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

/* ---- help ---- */

static bool is_in_group(const struct command *c, const char *group)
{
	size_t len = strlen(group);

	return strncmp(c->name, group, len) == 0 && c->name[len] == ' ';
}

/* group: the first word of the commands; "" = all. */
static size_t print_commands(FILE *out, const char *group)
{
	size_t n = 0;

	for (size_t i = 0; i < COMMANDS; i++) {
		if (*group && !is_in_group(commands[i], group))
			continue;
		fprintf(out, "  postern %-16s %s\n", commands[i]->name, commands[i]->summary);
		n++;
	}
	return n;
}

static void print_hint(FILE *out)
{
	fprintf(out, "\n`postern COMMAND --help` shows options and an example.\n");
}

static void print_overview(FILE *out)
{
	fprintf(out, "Postern %s, an HTTP gateway for transactional email.\n\n", POSTERN_VERSION);
	print_commands(out, "");
	fprintf(out, "  postern %-16s %s\n", "help", "print this list");
	print_hint(out);
}

static bool is_group(const char *word)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (is_in_group(commands[i], word))
			return true;
	return false;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (is_help(argv[i]))
			return true;
	return false;
}

/* ---- which command ---- */

/* The number of arguments that form the name of c; 0: they do not. */
static int count_name_words(const struct command *c, int argc, char **argv)
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

static int print_help(const struct command *c)
{
	printf("postern %s: %s\n\n%s", c->name, c->summary, c->help);
	return CLI_DONE;
}

static int run_command(const struct command *c, int argc, char **argv)
{
	return wants_help(argc, argv) ? print_help(c) : c->run(argc, argv);
}

/* "key" alone, or before a word that is none of its commands. */
static int run_group(const char *group, int argc, char **argv)
{
	bool is_asked = argc > 0 && wants_help(argc, argv);
	FILE *out = is_asked ? stdout : stderr;

	if (!is_asked && argc > 0)
		fprintf(stderr, "postern %s: unknown command \"%s %.60s\". Commands:\n", group,
			group, argv[0]);
	print_commands(out, group);
	print_hint(out);
	return is_asked ? CLI_DONE : CLI_USAGE;
}

static const struct command *find_like(const char *typed)
{
	const struct command *best = NULL;
	size_t near = MEANT_DISTANCE + 1;

	for (size_t i = 0; i < COMMANDS; i++) {
		size_t d = spelling_distance(typed, commands[i]->name);

		if (d < near && d < strlen(commands[i]->name) / 2 + 1) {
			near = d;
			best = commands[i];
		}
	}
	return best;
}

static int report_unknown(int argc, char **argv)
{
	char typed[TYPED_MAX + 1];
	const struct command *like;

	snprintf(typed, sizeof(typed), "%s%s%s", argv[0], argc > 1 ? " " : "",
		 argc > 1 ? argv[1] : "");
	like = find_like(argv[0]);
	if (!like)
		like = find_like(typed);
	fprintf(stderr, "postern: unknown command \"%.60s\"", argv[0]);
	if (like)
		fprintf(stderr, "; did you mean `postern %s`?", like->name);
	fprintf(stderr, "\n`postern help` lists all commands.\n");
	return CLI_USAGE;
}

static int run_words(int argc, char **argv)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		int n = count_name_words(commands[i], argc, argv);

		if (n)
			return run_command(commands[i], argc - n, argv + n);
	}
	if (is_group(argv[0]))
		return run_group(argv[0], argc - 1, argv + 1);
	return report_unknown(argc, argv);
}

/* "help", "help key", "help key create" */
static int run_help(int argc, char **argv)
{
	if (argc == 0) {
		print_overview(stdout);
		return CLI_DONE;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (count_name_words(commands[i], argc, argv) == argc)
			return print_help(commands[i]);
	}
	if (argc > 1 || !is_group(argv[0]))
		return report_unknown(argc, argv);
	print_commands(stdout, argv[0]);
	print_hint(stdout);
	return CLI_DONE;
}

int cli_run(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : NULL;

	if (!first) {
		print_overview(stderr);
		return CLI_USAGE;
	}
	if (strcmp(first, "--version") == 0)
		return print_version(0, NULL);
	if (is_help(first))
		return run_help(0, NULL);
	if (strcmp(first, "help") == 0)
		return run_help(argc - 2, argv + 2);
	return run_words(argc - 1, argv + 1);
}

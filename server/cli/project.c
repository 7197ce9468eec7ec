/* postern project create, list, set and delete. */
#include <stdio.h>
#include <string.h>

#include "server/base/json_text.h"
#include "server/base/number.h"
#include "server/base/utf8.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/cli/output.h"
#include "server/store/projects/projects.h"

#define NAME_MAX_BYTES 100
#define SETTINGS 3
#define WEIGHT_MAX 100

struct project_request {
	const char *name;
	bool is_json;
	struct project_setting settings[SETTINGS];
	size_t n_settings;
};

/* A setting that has its default is null. */
static json_t *setting_json(int64_t value)
{
	return value ? json_integer(value) : json_null();
}

static json_t *project_json(const struct project *p)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "id", p->id, "name", p->name,
			 "created_at", output_time(p->created_ms), "queued_messages",
			 setting_json(p->quota.queued_messages), "stored_bytes",
			 setting_json(p->quota.stored_bytes), "weight", setting_json(p->weight));
}

/* Reads "[NAME] [--json] [--config FILE]". n_names: how many names are expected. -1: ERR_INPUT. */
static int read_request(int argc, char **argv, size_t n_names, struct project_request *r,
			const char **file, struct err *e)
{
	const struct option_row rows[] = {
		{"--config", file, NULL}, {"--json", NULL, &r->is_json}, {NULL, NULL, NULL}};
	int n = options_read(argc, argv, rows, &r->name, n_names, e);

	if (n < 0 || n_names == 0)
		return n;
	if (n != 1 || !*r->name || strlen(r->name) > NAME_MAX_BYTES)
		return err_set(e, ERR_INPUT, "a name of 1 to %d characters is expected",
			       NAME_MAX_BYTES);
	return utf8_check_line(r->name, strlen(r->name), "the name", e);
}

static int report_named(const struct command *c, const char *name, struct err *e)
{
	err_prefix(e, "%.60s", name);
	return cli_report_error(c, e);
}

/* ---- create ---- */

static int print_created(const struct project *p, bool is_json, struct err *e)
{
	if (is_json)
		return output_json(project_json(p), e);
	printf("Created the project %s (%s).\n", p->name, p->id);
	return output_flush(e);
}

static void on_created(const struct project *list, size_t n, const struct err *why, void *arg)
{
	struct client *c = arg;
	const struct project_request *r = c->arg;
	struct err e;

	if (!why && n == 1 && print_created(list, r->is_json, &e) < 0)
		why = &e;
	client_end(c, why);
}

static void ask_create(struct client *c)
{
	const struct project_request *r = c->arg;

	projects_create(c->redis, NULL, r->name, on_created, c);
}

static int create(int argc, char **argv)
{
	struct project_request r = {0};
	const char *file = NULL;
	struct err e;

	if (read_request(argc, argv, 1, &r, &file, &e) < 0)
		return cli_report_usage(&command_project_create, &e);
	return client_run(file, client_open, ask_create, &r, &e) < 0
		       ? report_named(&command_project_create, r.name, &e)
		       : CLI_DONE;
}

/* ---- list ---- */

static void print_project(const struct project *p)
{
	char created_at[CLOCK_RFC3339_LEN];

	printf("%s  %s  %s\n", p->id, output_time_text(p->created_ms, created_at), p->name);
}

static int print_projects(const struct project *list, size_t n, bool is_json, struct err *e)
{
	json_t *data = is_json ? json_array() : NULL;

	for (size_t i = 0; i < n; i++)
		if (is_json)
			json_list_add(&data, project_json(&list[i]));
		else
			print_project(&list[i]);
	return is_json ? output_json(json_pack("{s:o}", "data", data), e) : output_flush(e);
}

static void on_list(const struct project *list, size_t n, const struct err *why, void *arg)
{
	struct client *c = arg;
	const struct project_request *r = c->arg;
	struct err e;

	if (!why && print_projects(list, n, r->is_json, &e) < 0)
		why = &e;
	client_end(c, why);
}

static void ask_list(struct client *c)
{
	projects_list(c->redis, on_list, c);
}

static int list(int argc, char **argv)
{
	struct project_request r = {0};
	const char *file = NULL;
	struct err e;

	if (read_request(argc, argv, 0, &r, &file, &e) < 0)
		return cli_report_usage(&command_project_list, &e);
	return client_run(file, client_reach, ask_list, &r, &e) < 0
		       ? cli_report_error(&command_project_list, &e)
		       : CLI_DONE;
}

/* ---- set ---- */

static void print_setting(const char *name, int64_t value)
{
	if (value)
		printf("  %s: %lld\n", name, (long long)value);
	else
		printf("  %s: default\n", name);
}

static int print_settings(const struct project *p, bool is_json, struct err *e)
{
	if (is_json)
		return output_json(project_json(p), e);
	printf("The project %s (%s) now has:\n", p->name, p->id);
	print_setting("queued messages", p->quota.queued_messages);
	print_setting("stored bytes", p->quota.stored_bytes);
	print_setting("weight", p->weight);
	return output_flush(e);
}

static void on_set(const struct project *list, size_t n, const struct err *why, void *arg)
{
	struct client *c = arg;
	const struct project_request *r = c->arg;
	struct err e;

	if (!why && n == 1 && print_settings(list, r->is_json, &e) < 0)
		why = &e;
	client_end(c, why);
}

static void ask_set(struct client *c)
{
	const struct project_request *r = c->arg;

	projects_set(c->redis, r->name, r->settings, r->n_settings, on_set, c);
}

static int read_weight(const char *text, int64_t *value, struct err *e)
{
	if (number_parse(text, strlen(text), 1, WEIGHT_MAX, value) == 0)
		return 0;
	return err_set(e, ERR_INPUT,
		       "\"%.100s\" is refused: a whole number from 1 to %d is expected", text,
		       WEIGHT_MAX);
}

/* Adds a setting. text: of the command line, "default" or a value; NULL: not given. config_name:
 * the setting of the configuration whose values have the same form; NULL: it is the weight. */
static int add_setting(struct project_request *r, const char *name, const char *text,
		       const char *config_name, struct err *e)
{
	int64_t value = 0;
	int rc = 0;

	if (!text)
		return 0;
	if (strcmp(text, "default") != 0)
		rc = config_name ? config_read_number(config_name, text, &value, e)
				 : read_weight(text, &value, e);
	if (rc == 0)
		r->settings[r->n_settings++] = (struct project_setting){name, value};
	return rc;
}

static int read_settings(int argc, char **argv, struct project_request *r, const char **file,
			 struct err *e)
{
	const char *messages = NULL, *bytes = NULL, *weight = NULL;
	const struct option_row rows[] = {{"--queued-messages", &messages, NULL},
					  {"--stored-bytes", &bytes, NULL},
					  {"--weight", &weight, NULL},
					  {"--config", file, NULL},
					  {"--json", NULL, &r->is_json},
					  {NULL, NULL, NULL}};
	int n = options_read(argc, argv, rows, &r->name, 1, e);

	if (n < 0)
		return -1;
	if (n != 1 || !*r->name)
		return err_set(e, ERR_INPUT, "the name of a project is expected");
	if (add_setting(r, "queued_messages", messages, "project_queued_messages", e) < 0)
		return err_prefix(e, "--queued-messages");
	if (add_setting(r, "stored_bytes", bytes, "project_stored_bytes", e) < 0)
		return err_prefix(e, "--stored-bytes");
	if (add_setting(r, "weight", weight, NULL, e) < 0)
		return err_prefix(e, "--weight");
	return r->n_settings ? 0
			     : err_set(e, ERR_INPUT,
				       "a setting is expected: --queued-messages, --stored-bytes "
				       "or --weight");
}

static int set(int argc, char **argv)
{
	struct project_request r = {0};
	const char *file = NULL;
	struct err e;

	if (read_settings(argc, argv, &r, &file, &e) < 0)
		return cli_report_usage(&command_project_set, &e);
	return client_run(file, client_open, ask_set, &r, &e) < 0
		       ? report_named(&command_project_set, r.name, &e)
		       : CLI_DONE;
}

/* ---- delete ---- */

static int print_deleted(const struct project_request *r, struct err *e)
{
	if (r->is_json)
		return output_json(json_pack("{s:s, s:b}", "name", r->name, "deleted", true), e);
	printf("Deleted the project %s.\n", r->name);
	return output_flush(e);
}

static void on_deleted(const struct err *why, void *arg)
{
	struct client *c = arg;
	struct err e;

	if (!why && print_deleted(c->arg, &e) < 0)
		why = &e;
	client_end(c, why);
}

static void ask_delete(struct client *c)
{
	const struct project_request *r = c->arg;

	projects_delete(c->redis, r->name, on_deleted, c);
}

static int delete (int argc, char **argv)
{
	struct project_request r = {0};
	const char *file = NULL;
	struct err e;

	if (read_request(argc, argv, 1, &r, &file, &e) < 0)
		return cli_report_usage(&command_project_delete, &e);
	return client_run(file, client_reach, ask_delete, &r, &e) < 0
		       ? report_named(&command_project_delete, r.name, &e)
		       : CLI_DONE;
}

const struct command command_project_create = {
	.name = "project create",
	.summary = "create a project: a tenant with keys and messages of its own",
	.help = "Usage: postern project create NAME [--json] [--config FILE]\n\n"
		"  --json          print the id as well, as JSON\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Example:\n  postern project create shop && postern key create --project shop\n",
	.run = create,
};

const struct command command_project_list = {
	.name = "project list",
	.summary = "list all projects, newest first",
	.help = "Usage: postern project list [--json] [--config FILE]\n\n"
		"  --json          as JSON\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Prints one project a line: id, time of creation, name.\n\n"
		"Example:\n  postern project list\n",
	.run = list,
};

const struct command command_project_set = {
	.name = "project set",
	.summary = "change the limits of a project",
	.help = "Usage: postern project set NAME [OPTIONS]\n\n"
		"  NAME                 name or prj_ id of the project\n"
		"  --queued-messages N  maximum number of messages that are not finished\n"
		"  --stored-bytes SIZE  maximum size of its messages in Redis, like 2GB\n"
		"  --weight N           turns of its mail for each turn of another project, 1 to "
		"100\n"
		"  --json               as JSON\n"
		"  --config FILE        instead of ./postern.yaml\n\n"
		"`default` as a value: weight 1, or the setting of the installation, "
		"POSTERN_PROJECT_QUEUED_MESSAGES\n"
		"or POSTERN_PROJECT_STORED_BYTES. Test mode has a tenth of each limit. A change "
		"has\n"
		"effect within a second.\n\n"
		"Example:\n  postern project set shop --queued-messages 200000 --stored-bytes "
		"1GB\n",
	.run = set,
};

const struct command command_project_delete = {
	.name = "project delete",
	.summary = "delete a project that has no keys and no webhooks",
	.help = "Usage: postern project delete NAME [--json] [--config FILE]\n\n"
		"  NAME            name or prj_ id of the project\n"
		"  --json          as JSON\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Revoke its keys and delete its webhooks first. Mail that it accepted is still\n"
		"delivered, and its messages are removed after POSTERN_RETENTION_S. The name can "
		"be\n"
		"used again. The project `default` cannot be deleted.\n\n"
		"Example:\n  postern project delete shop\n",
	.run = delete,
};

/* postern key create, list and revoke. */
#include <stdio.h>
#include <string.h>

#include "server/base/json_text.h"
#include "server/base/id.h"
#include "server/base/utf8.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/cli/output.h"
#include "server/store/projects/key_scopes.h"
#include "server/store/projects/keys.h"

#define NAME_MAX_BYTES 100

struct key_request {
	const char *project, *name, *id;
	unsigned scopes;
	bool is_test, is_json;
	struct err print_error;
};

static int parse_scopes(const char *text, unsigned *scopes, struct err *e)
{
	unsigned all = 0;

	while (*text) {
		size_t len = strcspn(text, ","), i = 0;

		while (i < KEY_SCOPES && (strlen(key_scope_names[i].name) != len ||
					  strncmp(key_scope_names[i].name, text, len) != 0))
			i++;
		if (i == KEY_SCOPES)
			return err_set(e, ERR_INPUT,
				       "--scopes: some of send,read,manage are expected");
		all |= key_scope_names[i].scope;
		text += len + (text[len] == ',');
	}
	if (!all)
		return err_set(e, ERR_INPUT, "--scopes: some of send,read,manage are expected");
	*scopes = all;
	return 0;
}

/* text: the key itself, NULL except when it was just created. */
static json_t *key_json(const struct key *key, const char *text)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:s*}", "id", key->id, "name", key->name,
			 "mode", key->is_test ? "test" : "live", "scopes",
			 key_scopes_json(key->scopes), "project_id", key->project_id, "created_at",
			 output_time(key->created_ms), "key", text);
}

/* ---- create ---- */

static int print_created(const struct key *key, const char *text, bool is_json, struct err *e)
{
	if (is_json)
		return output_json(key_json(key, text), e);
	printf("%s\n", text);
	return output_flush(e);
}

static void on_unprinted_revoked(const struct err *why, void *arg)
{
	struct client *c = arg;
	const struct key_request *r = c->arg;
	struct err e;

	if (why)
		err_set(&e, ERR_INTERNAL,
			"%.100s; the key was created, but could not be revoked: %.100s; "
			"`postern key list` shows its id",
			r->print_error.text, why->text);
	else
		err_set(&e, ERR_INTERNAL, "%.100s; the new key was revoked", r->print_error.text);
	client_end(c, &e);
}

/* Revokes a key that could not be printed, because nobody knows it. */
static void on_created(const struct key *key, const char *text, const struct err *why, void *arg)
{
	struct client *c = arg;
	struct key_request *r = c->arg;

	if (key && print_created(key, text, r->is_json, &r->print_error) < 0)
		keys_revoke(c->redis, &(struct keys_of){0}, key->id, on_unprinted_revoked, c);
	else
		client_end(c, why);
}

static void ask_create(struct client *c)
{
	const struct key_request *r = c->arg;

	keys_create(c->redis,
		    &(struct key_draft){
			    .project = r->project,
			    .name = r->name,
			    .scopes = r->scopes,
			    .is_test = r->is_test,
		    },
		    on_created, c);
}

static int check_name(const char *name, struct err *e)
{
	if (!*name || strlen(name) > NAME_MAX_BYTES)
		return err_set(e, ERR_INPUT, "--name: 1 to %d characters are expected",
			       NAME_MAX_BYTES);
	return utf8_check_line(name, strlen(name), "--name", e);
}

static int create(int argc, char **argv)
{
	struct key_request r = {.project = "default", .name = "key"};
	const char *scopes = "send,read", *file = NULL;
	const struct option_row rows[] = {{"--project", &r.project, NULL},
					  {"--name", &r.name, NULL},
					  {"--scopes", &scopes, NULL},
					  {"--config", &file, NULL},
					  {"--test", NULL, &r.is_test},
					  {"--json", NULL, &r.is_json},
					  {NULL, NULL, NULL}};
	struct err e;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0 ||
	    parse_scopes(scopes, &r.scopes, &e) < 0 || check_name(r.name, &e) < 0)
		return cli_report_usage(&command_key_create, &e);
	return client_run(file, client_open, ask_create, &r, &e) < 0
		       ? cli_report_error(&command_key_create, &e)
		       : CLI_DONE;
}

/* ---- list ---- */

static void print_key(const struct key *key)
{
	char created_at[CLOCK_RFC3339_LEN], scopes[32] = "";
	size_t len = 0;

	for (size_t i = 0; i < KEY_SCOPES; i++)
		if (key->scopes & key_scope_names[i].scope)
			len += (size_t)snprintf(scopes + len, sizeof(scopes) - len, "%s%s",
						len ? "," : "", key_scope_names[i].name);
	printf("%s  %s  %-16s  %s  %s\n", key->id, key->is_test ? "test" : "live", scopes,
	       output_time_text(key->created_ms, created_at), key->name);
}

static int print_keys(const struct key *list, size_t n, bool is_json, struct err *e)
{
	json_t *data = is_json ? json_array() : NULL;

	for (size_t i = 0; i < n; i++)
		if (is_json)
			json_list_add(&data, key_json(&list[i], NULL));
		else
			print_key(&list[i]);
	return is_json ? output_json(json_pack("{s:o}", "data", data), e) : output_flush(e);
}

static void on_list(const struct key *list, size_t n, const struct err *why, void *arg)
{
	struct client *c = arg;
	const struct key_request *r = c->arg;
	struct err e;

	if (!why && print_keys(list, n, r->is_json, &e) < 0)
		why = &e;
	client_end(c, why);
}

static void ask_list(struct client *c)
{
	const struct key_request *r = c->arg;

	keys_list(c->redis, &(struct keys_of){.project = r->project}, on_list, c);
}

static int list(int argc, char **argv)
{
	struct key_request r = {.project = "default"};
	const char *file = NULL;
	const struct option_row rows[] = {{"--project", &r.project, NULL},
					  {"--config", &file, NULL},
					  {"--json", NULL, &r.is_json},
					  {NULL, NULL, NULL}};
	struct err e;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0)
		return cli_report_usage(&command_key_list, &e);
	return client_run(file, client_reach, ask_list, &r, &e) < 0
		       ? cli_report_error(&command_key_list, &e)
		       : CLI_DONE;
}

/* ---- revoke ---- */

static int print_revoked(const struct key_request *r, struct err *e)
{
	if (r->is_json)
		return output_json(json_pack("{s:s, s:b}", "id", r->id, "revoked", true), e);
	printf("Revoked %s. It is refused everywhere within a second.\n", r->id);
	return output_flush(e);
}

static void on_revoked(const struct err *why, void *arg)
{
	struct client *c = arg;
	struct err e;

	if (!why && print_revoked(c->arg, &e) < 0)
		why = &e;
	client_end(c, why);
}

/* Works also while the store refuses mail, because a leaked key must be revoked at once. */
static void ask_revoke(struct client *c)
{
	const struct key_request *r = c->arg;

	keys_revoke(c->redis, &(struct keys_of){0}, r->id, on_revoked, c);
}

static int revoke(int argc, char **argv)
{
	struct key_request r = {0};
	const char *file = NULL;
	const struct option_row rows[] = {
		{"--config", &file, NULL}, {"--json", NULL, &r.is_json}, {NULL, NULL, NULL}};
	struct err e;
	int n = options_read(argc, argv, rows, &r.id, 1, &e);

	if (n >= 0 && (n != 1 || !id_valid("key", r.id)))
		n = err_set(&e, ERR_INPUT,
			    "the id of a key is expected, key_...; `postern key list` shows it");
	if (n < 0)
		return cli_report_usage(&command_key_revoke, &e);
	return client_run(file, client_reach, ask_revoke, &r, &e) < 0
		       ? cli_report_error(&command_key_revoke, &e)
		       : CLI_DONE;
}

const struct command command_key_create = {
	.name = "key create",
	.summary = "create an API key and print it; it is shown only once",
	.help = "Usage: postern key create [--project NAME] [--name NAME] [--scopes LIST]\n"
		"                          [--test] [--json] [--config FILE]\n\n"
		"  --project NAME  name or prj_ id of the project; default: default\n"
		"  --name NAME     what the key is for\n"
		"  --scopes LIST   comma-separated list of send, read, manage; default: send,read\n"
		"  --test          a test key: its mail goes to the test inbox, nowhere else\n"
		"  --json          print id, mode, scopes and project as well, as JSON\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Works on POSTERN_REDIS_URL, or on the embedded Redis of a running Postern with\n"
		"the same data directory.\n\n"
		"Example:\n"
		"  postern key create --project default --name web --scopes send,read,manage\n",
	.run = create,
};

const struct command command_key_list = {
	.name = "key list",
	.summary = "list the API keys of a project, newest first",
	.help = "Usage: postern key list [--project NAME] [--json] [--config FILE]\n\n"
		"  --project NAME  name or prj_ id of the project; default: default\n"
		"  --json          as JSON\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Prints one key a line: id (for `postern key revoke`), mode, scopes, time of\n"
		"creation, name.\n\n"
		"Example:\n  postern key list --project shop\n",
	.run = list,
};

const struct command command_key_revoke = {
	.name = "key revoke",
	.summary = "revoke an API key; it is refused within a second",
	.help = "Usage: postern key revoke KEY_ID [--json] [--config FILE]\n\n"
		"  KEY_ID          as `postern key list` prints it\n"
		"  --json          as JSON\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Example:\n  postern key revoke key_01kan2m7qk4f0v8c5d6e7f8g00\n",
	.run = revoke,
};

/* postern key create, list and revoke. */
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/base/utf8.h"
#include "server/store/projects/keys.h"

static const struct {
	const char *name;
	unsigned scope;
} scope_names[] = {{"send", SCOPE_SEND}, {"read", SCOPE_READ}, {"manage", SCOPE_MANAGE}};
#define SCOPES (sizeof(scope_names) / sizeof(*scope_names))

static int parse_scopes(const char *text, unsigned *scopes, struct err *e)
{
	unsigned all = 0;

	while (*text) {
		size_t len = strcspn(text, ","), i = 0;

		while (i < SCOPES && (strlen(scope_names[i].name) != len ||
				      strncmp(scope_names[i].name, text, len) != 0))
			i++;
		if (i == SCOPES)
			return err_set(e, ERR_INPUT,
				       "--scopes: some of send,read,manage are expected");
		all |= scope_names[i].scope;
		text += len + (text[len] == ',');
	}
	if (!all)
		return err_set(e, ERR_INPUT, "--scopes: some of send,read,manage are expected");
	*scopes = all;
	return 0;
}

/* ---- create ---- */

static void created(const struct key *key, const char *text, const struct err *why, void *arg)
{
	if (key)
		printf("%s\n", text);
	client_end(arg, why);
}

struct wish {
	const char *project, *name;
	unsigned scopes;
	bool is_test;
};

static void ask_create(struct client *c, const void *arg)
{
	const struct wish *w = arg;

	keys_create(c->redis, w->project, w->name, w->scopes, w->is_test, created, c);
}

static int create(int argc, char **argv)
{
	struct wish w = {.project = "default", .name = "key"};
	const char *scopes = "send,read", *file = NULL;
	const struct option_row rows[] = {
		{"--project", &w.project, NULL}, {"--name", &w.name, NULL},
		{"--scopes", &scopes, NULL},     {"--config", &file, NULL},
		{"--test", NULL, &w.is_test},    {NULL, NULL, NULL}};
	struct err e;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0 ||
	    parse_scopes(scopes, &w.scopes, &e) < 0)
		return cli_usage(&command_key_create, &e);
	if (!*w.name || strlen(w.name) > 100) {
		err_set(&e, ERR_INPUT, "--name: 1 to 100 characters are expected");
		return cli_usage(&command_key_create, &e);
	}
	if (utf8_check_line(w.name, strlen(w.name), "--name", &e) < 0)
		return cli_usage(&command_key_create, &e);
	return client_run(file, client_open, ask_create, &w, &e) < 0
		       ? cli_failed(&command_key_create, &e)
		       : CLI_DONE;
}

/* ---- list ---- */

static void show(const struct key *key)
{
	char created_at[CLOCK_RFC3339_LEN] = "-", scopes[32] = "";
	size_t len = 0;

	if (key->created_ms)
		clock_rfc3339(key->created_ms, created_at);
	for (size_t i = 0; i < SCOPES; i++)
		if (key->scopes & scope_names[i].scope)
			len += (size_t)snprintf(scopes + len, sizeof(scopes) - len, "%s%s",
						len ? "," : "", scope_names[i].name);
	printf("%s  %s  %-16s  %s  %s\n", key->id, key->is_test ? "test" : "live", scopes,
	       created_at, key->name);
}

static void listed(const struct key *list, size_t n, const struct err *why, void *arg)
{
	for (size_t i = 0; i < n; i++)
		show(&list[i]);
	client_end(arg, why);
}

static void ask_list(struct client *c, const void *project)
{
	keys_list(c->redis, project, listed, c);
}

static int list(int argc, char **argv)
{
	const char *file = NULL, *project = "default";
	const struct option_row rows[] = {
		{"--project", &project, NULL}, {"--config", &file, NULL}, {NULL, NULL, NULL}};
	struct err e;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0)
		return cli_usage(&command_key_list, &e);
	return client_run(file, client_reach, ask_list, project, &e) < 0
		       ? cli_failed(&command_key_list, &e)
		       : CLI_DONE;
}

/* ---- revoke ---- */

static void revoked(const struct err *why, void *arg)
{
	client_end(arg, why);
}

/* Also while the store takes no mail: a key that leaked must not wait for that. */
static void ask_revoke(struct client *c, const void *id)
{
	keys_revoke(c->redis, NULL, id, revoked, c);
}

static int revoke(int argc, char **argv)
{
	const char *file = NULL, *id;
	const struct option_row rows[] = {{"--config", &file, NULL}, {NULL, NULL, NULL}};
	struct err e;
	int n = options_read(argc, argv, rows, &id, 1, &e);

	if (n >= 0 && (n != 1 || !id_valid("key", id)))
		n = err_set(&e, ERR_INPUT, "the id of a key is expected: key_...");
	if (n < 0)
		return cli_usage(&command_key_revoke, &e);
	return client_run(file, client_reach, ask_revoke, id, &e) < 0
		       ? cli_failed(&command_key_revoke, &e)
		       : CLI_DONE;
}

const struct command command_key_create = {
	.name = "key create",
	.summary = "make an API key and print it, this once",
	.help = "Usage: postern key create [--project NAME] [--name NAME] [--scopes LIST] "
		"[--test]\n\n"
		"  --project NAME  by name or prj_ id; default\n"
		"  --name NAME     what the key is for\n"
		"  --scopes LIST   some of send,read,manage; default send,read\n"
		"  --test          a test key: its mail goes to the test inbox, nowhere else\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Works on POSTERN_REDIS_URL, or on the embedded Redis of a running postern with "
		"the\n"
		"same data directory.\n\n"
		"Example:\n"
		"  postern key create --project default --name web --scopes send,read,manage\n",
	.run = create,
};

const struct command command_key_list = {
	.name = "key list",
	.summary = "list the API keys of a project, newest first",
	.help = "Usage: postern key list [--project NAME] [--config FILE]\n\n"
		"  --project NAME  by name or prj_ id; default\n\n"
		"A line a key: its id (for `key revoke`), mode, scopes, when it was made, and its "
		"name.\n\n"
		"Example:\n  postern key list --project shop\n",
	.run = list,
};

const struct command command_key_revoke = {
	.name = "key revoke",
	.summary = "revoke an API key; within a second it is refused everywhere",
	.help = "Usage: postern key revoke KEY_ID [--config FILE]\n\n"
		"Example:\n  postern key revoke key_01kan2m7qk4f0v8c5d6e7f8g00\n",
	.run = revoke,
};

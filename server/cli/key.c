/* postern key create and revoke. */
#include <stdio.h>
#include <string.h>

#include "server/base/id.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/mail/utf8.h"
#include "server/store/keys.h"

static int parse_scopes(const char *text, unsigned *scopes, struct err *e)
{
	static const struct {
		const char *name;
		unsigned scope;
	} names[] = {{"send", SCOPE_SEND}, {"read", SCOPE_READ}, {"manage", SCOPE_MANAGE}};
	unsigned all = 0;

	while (*text) {
		size_t len = strcspn(text, ","), i = 0;

		while (i < 3 &&
		       (strlen(names[i].name) != len || strncmp(names[i].name, text, len) != 0))
			i++;
		if (i == 3)
			return err_set(e, ERR_INPUT,
				       "--scopes: some of send,read,manage are expected");
		all |= names[i].scope;
		text += len + (text[len] == ',');
	}
	if (!all)
		return err_set(e, ERR_INPUT, "--scopes: some of send,read,manage are expected");
	*scopes = all;
	return 0;
}

static void created(const struct key *key, const char *text, const struct err *why, void *arg)
{
	if (key)
		printf("%s\n", text);
	client_end(arg, why);
}

struct wish {
	const char *project, *name, *file;
	unsigned scopes;
	bool is_test;
};

static int create_key(const struct wish *w, struct err *e)
{
	struct config *config;
	struct client c;
	int status = -1;

	if (cli_config(&config, w->file, client_presets, e) < 0)
		return -1;
	if (client_open(&c, config, e) == 0) {
		keys_create(c.store, w->project, w->name, w->scopes, w->is_test, created, &c);
		status = client_wait(&c, e);
		client_close(&c);
	}
	config_free(config);
	return status;
}

static int create(int argc, char **argv)
{
	struct wish w = {.project = "default", .name = "key"};
	const char *scopes = "send,read";
	const struct option_row rows[] = {
		{"--project", &w.project, NULL}, {"--name", &w.name, NULL},
		{"--scopes", &scopes, NULL},     {"--config", &w.file, NULL},
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
	return create_key(&w, &e) < 0 ? cli_failed(&command_key_create, &e) : CLI_DONE;
}

static void revoked(const struct err *why, void *arg)
{
	client_end(arg, why);
}

static int revoke_key(const char *file, const char *id, struct err *e)
{
	struct config *config;
	struct client c;
	int status = -1;

	if (cli_config(&config, file, client_presets, e) < 0)
		return -1;
	if (client_reach(&c, config, e) == 0) {
		keys_revoke(c.store, NULL, id, revoked, &c);
		status = client_wait(&c, e);
		client_close(&c);
	}
	config_free(config);
	return status;
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
	return revoke_key(file, id, &e) < 0 ? cli_failed(&command_key_revoke, &e) : CLI_DONE;
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

const struct command command_key_revoke = {
	.name = "key revoke",
	.summary = "revoke an API key; within a second it is refused everywhere",
	.help = "Usage: postern key revoke KEY_ID [--config FILE]\n\n"
		"Example:\n  postern key revoke key_01kan2m7qk4f0v8c5d6e7f8g00\n",
	.run = revoke,
};

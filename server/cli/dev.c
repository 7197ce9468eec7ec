/* postern dev: a gateway to try, and two commands that show that it works. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/loop.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/cli/probe.h"
#include "server/store/projects/keys.h"
#include "server/supervisor/app.h"
#include "server/supervisor/listen.h"
#include "server/supervisor/secret.h"

#define KEY_PREFIX "pn_test_"
#define KEY_RANDOM 40
#define READY_MS 30000
#define POLL_NS 50000000
#define PROBE_MS 2000

/* ---- the key: kept in a file, so that it stays the same ---- */

static void make_key(char text[SECRET_TEXT_MAX])
{
	snprintf(text, SECRET_TEXT_MAX, "%s", KEY_PREFIX);
	id_random(text + strlen(KEY_PREFIX), KEY_RANDOM);
}

static void on_imported(const struct key *key, const char *text, const struct err *why, void *arg)
{
	(void)key;
	(void)text;
	client_end(arg, why);
}

static int import_key(const struct config *config, const char *key, struct err *e)
{
	struct client c;
	int status;

	if (client_open(&c, config, e) < 0)
		return -1;
	keys_create(c.redis,
		    &(struct key_draft){
			    .project = "default",
			    .name = "dev",
			    .scopes = SCOPE_SEND | SCOPE_READ | SCOPE_MANAGE,
			    .is_test = true,
			    .text = key,
		    },
		    on_imported, &c);
	status = client_wait(&c, e);
	client_close(&c);
	return status;
}

/* ---- wait for the API ---- */

struct address {
	char host[LISTEN_HOST_MAX];
	char port[LISTEN_PORT_MAX];
	bool is_tls;
};

static bool is_api_ready(const struct config *config)
{
	struct probe_response response;

	return probe_get(config, false, "/readyz", PROBE_MS, &response, NULL) == 0 &&
	       response.status == 200;
}

static int wait_for_api(const struct config *config, struct err *e)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	int64_t until = clock_mono_ms() + READY_MS;

	while (!is_api_ready(config)) {
		if (clock_mono_ms() > until)
			return err_set(e, ERR_RETRY, "the API was not ready within %d s",
				       READY_MS / 1000);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void print_banner(const struct address *at, const char *key, const char *root_key)
{
	bool is_v6 = strchr(at->host, ':') != NULL;
	const char *scheme = at->is_tls ? "https" : "http";
	char base[LISTEN_HOST_MAX + 32];

	snprintf(base, sizeof(base), "%s://%s%s%s:%s", scheme, is_v6 ? "[" : "", at->host,
		 is_v6 ? "]" : "", at->port);
	printf("\nPostern %s listens on %s (Ctrl-C ends it)\n"
	       "Test key, whose mail goes to the test inbox and nowhere else:\n  %s\n"
	       "Root key, which makes projects and keys:\n  %s\n\n"
	       "Send a message, then read it:\n\n"
	       "curl -s '%s/v1/messages' -H 'Authorization: Bearer %s' -H 'Content-Type: "
	       "application/json' -d "
	       "'{\"from\":\"you@example.com\",\"to\":[\"someone@example.com\"],"
	       "\"subject\":\"Hello\",\"text\":\"It works.\"}'\n\n"
	       "curl -s -H 'Authorization: Bearer %s' "
	       "'%s/v1/test/inbox?to=someone@example.com&wait=10s'\n\n",
	       POSTERN_VERSION, base, key, root_key, base, key, key, base);
	fflush(stdout);
}

/* Runs as one more child of the supervisor. */
static int greet(const struct role_context *ctx)
{
	struct address at = {.is_tls = *ctx->config->tls_cert != 0};
	char key[SECRET_TEXT_MAX] = "";
	struct err e;

	if (secret_load(ctx->config, "dev-key", make_key, key, &e) < 0 ||
	    import_key(ctx->config, key, &e) < 0)
		return cli_report_error(&command_dev, &e);
	if (!(ctx->config->roles & ROLE_API))
		return CLI_DONE;
	if (listen_local(ctx->config->listen, at.host, at.port) < 0 ||
	    wait_for_api(ctx->config, &e) < 0)
		return cli_report_error(&command_dev, &e);
	print_banner(&at, key, ctx->config->root_key);
	explicit_bzero(key, sizeof(key));
	return CLI_DONE;
}

static int run(int argc, char **argv)
{
	static const struct config_preset presets[] = {{"workers_api", "1"},
						       {"workers_relay", "1"},
						       {"log_level", "warn"},
						       {"metrics_listen", "off"},
						       {"webhook_allow_private", "true"},
						       {NULL, NULL}};
	const char *file = NULL;
	const struct option_row rows[] = {{"--config", &file, NULL}, {NULL, NULL, NULL}};
	const struct app_options options = {
		.greet = greet, .hangup_ends = true, .makes_root_key = true};
	struct config *config;
	struct err e;
	int status;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0)
		return cli_report_usage(&command_dev, &e);
	if (cli_load_config(&config, file, presets, &e) < 0)
		return cli_report_error(&command_dev, &e);
	status = app_run(config, &options, &e);
	config_free(config);
	return status < 0 ? cli_report_error(&command_dev, &e) : status;
}

const struct command command_dev = {
	.name = "dev",
	.summary = "run a gateway to try, with a test key and an embedded Redis",
	.help = "Usage: postern dev [--config FILE]\n\n"
		"Listens on 127.0.0.1:8080 and keeps all data in ./postern-data, unless settings\n"
		"change that. Prints a test key and two curl commands when it is ready. Logs\n"
		"warnings and errors, unless POSTERN_LOG_LEVEL says otherwise. Ctrl-C stops it.\n\n"
		"Example:\n  POSTERN_LISTEN=127.0.0.1:8081 postern dev\n",
	.run = run,
};

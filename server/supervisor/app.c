/* Starts all parts of a Postern, and ends them. */
#include "server/supervisor/app.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api_role.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/supervisor/data_dir.h"
#include "server/supervisor/listen.h"
#include "server/supervisor/process.h"
#include "server/supervisor/redis_child.h"
#include "server/supervisor/preflight.h"
#include "server/supervisor/secret.h"
#include "server/supervisor/supervisor.h"
#include "server/hooks/hooks_role.h"
#include "server/keeper/keeper.h"
#include "server/redis/link/url.h"
#include "smtp/journal/journal.h"
#include "smtp/relay/recover.h"
#include "smtp/relay/relay_role.h"

#define OWNERS_MAX 64
#define JOBS_MAX 8
#define PORT_MS 1000
#define ROLES_TEXT_MAX 32

/* The jobs of one configuration. */
struct generation {
	struct generation *older;
	struct config *config; /* owned; NULL in the first generation, which uses the caller's */
	struct supervisor_job jobs[JOBS_MAX];
	size_t n_jobs;
};

struct app {
	struct listen listen, metrics_listen;
	int fds[2 * LISTEN_MAX]; /* of both, in this order */
	struct redis_child redis;
	struct generation first, *last;
	const struct config *config; /* of the last generation */
	char *owners[OWNERS_MAX];    /* they left a journal in an earlier run */
	size_t n_owners;
};

/* 0: one for each core. */
static unsigned workers(int64_t setting)
{
	return setting ? (unsigned)setting : process_cores();
}

static void add_job(struct generation *g, struct supervisor_job job)
{
	g->jobs[g->n_jobs++] = job;
}

static void add_workers(struct generation *g, const struct config *config)
{
	if (config->roles & ROLE_KEEPER)
		add_job(g,
			(struct supervisor_job){.role = "keeper", .run = keeper_run, .count = 1});
	if (config->roles & ROLE_HOOKS)
		add_job(g, (struct supervisor_job){
				   .role = "hooks", .run = hooks_role_run, .count = 1});
	if (config->roles & ROLE_RELAY)
		add_job(g, (struct supervisor_job){.role = "relay",
						   .run = relay_role_run,
						   .recover = recover_run,
						   .count = workers(config->workers_relay)});
	if (config->roles & ROLE_API)
		add_job(g, (struct supervisor_job){.role = "api",
						   .run = api_role_run,
						   .count = workers(config->workers_api),
						   .listens = true});
	for (size_t i = 0; i < g->n_jobs; i++)
		g->jobs[i].config = config;
}

static void add_jobs(struct app *app, const struct config *config, role_fn *greet)
{
	if (app->redis.lock_fd >= 0)
		add_job(&app->first,
			(struct supervisor_job){.role = "redis",
						.run = redis_child_run,
						.count = 1,
						.is_backend = true,
						.is_up = redis_child_is_up,
						.hint = "see redis/redis.log in data_dir"});
	add_workers(&app->first, config);
	if (greet)
		add_job(&app->first,
			(struct supervisor_job){
				.role = "dev", .run = greet, .count = 1, .is_once = true});
}

/* Children of a killed Postern may hold the port for a moment. */
static int open_port(struct listen *l, const char *variable, const char *listen, struct err *e)
{
	/* Nothing else runs yet, so this process may sleep. */
	const struct timespec pause = {.tv_nsec = 50000000};
	int64_t until = clock_mono_ms() + PORT_MS;
	int status = listen_open(l, variable, listen, e);

	while (status < 0 && e->kind == ERR_RETRY && clock_mono_ms() < until) {
		nanosleep(&pause, NULL);
		status = listen_open(l, variable, listen, e);
	}
	return status;
}

static int open_ports(struct app *app, const struct config *config, struct err *e)
{
	const struct listen *api = &app->listen, *metrics = &app->metrics_listen;

	if (open_port(&app->listen, "POSTERN_LISTEN", config->listen, e) < 0)
		return -1;
	if (config_has_metrics(config) && open_port(&app->metrics_listen, "POSTERN_METRICS_LISTEN",
						    config->metrics_listen, e) < 0)
		return -1;
	memcpy(app->fds, api->fds, api->n * sizeof(int));
	memcpy(app->fds + api->n, metrics->fds, metrics->n * sizeof(int));
	return 0;
}

static int open_app(struct app *app, struct config *config, bool makes_root_key, struct err *e)
{
	if (preflight_check(config, e) < 0 || data_dir_make(config->data_dir, e) < 0)
		return -1;
	if ((config->roles & ROLE_API) && open_ports(app, config, e) < 0)
		return -1;
	if (secret_prepare(config, e) < 0 ||
	    (makes_root_key && secret_prepare_root_key(config, e) < 0))
		return -1;
	if (!*config->redis_url && redis_child_prepare(&app->redis, config, e) < 0)
		return -1;
	if (metrics_init() < 0)
		return err_oom(e);
	metrics_use_slot(0);
	return log_share() < 0 ? err_oom(e) : 0;
}

static void roles_text(int64_t roles, char text[ROLES_TEXT_MAX])
{
	snprintf(text, ROLES_TEXT_MAX, "%s%s%s%s", roles & ROLE_API ? ",api" : "",
		 roles & ROLE_RELAY ? ",relay" : "", roles & ROLE_KEEPER ? ",keeper" : "",
		 roles & ROLE_HOOKS ? ",hooks" : "");
}

static void log_start(const struct app *app, const struct config *config)
{
	char address[REDIS_URL_ADDRESS_MAX] = "", roles[ROLES_TEXT_MAX];
	const char *redis = app->redis.lock_fd >= 0 ? "embedded" : address;
	bool has_api = config->roles & ROLE_API;
	const char *listen = has_api ? config->listen : "";
	const char *metrics = has_api ? config->metrics_listen : "";
	struct redis_url url;

	if (redis_url_parse(config, &url, NULL) == 0)
		redis_url_address(&url, address);
	explicit_bzero(&url, sizeof(url));
	roles_text(config->roles, roles);
	LOG(LOG_INFO, "postern.started", LOG_S("version", POSTERN_VERSION), LOG_S("listen", listen),
	    LOG_S("metrics_listen", metrics), LOG_S("config_file", config_file(config)),
	    LOG_S("data_dir", config->data_dir), LOG_S("roles", roles + 1), LOG_S("redis", redis));
}

static void free_generation(struct generation *g)
{
	config_free(g->config);
	free(g);
}

/* For the supervisor: the jobs of a new generation, when its configuration is usable. */
static int reload(void *arg, const struct supervisor_job **jobs, size_t *n, struct err *e)
{
	struct app *app = arg;
	struct generation *g = calloc(1, sizeof(*g));
	struct buf ignored = {0};
	int rc;

	if (!g)
		return err_oom(e);
	rc = config_reload(app->config, &g->config, &ignored, e);
	if (rc == 0)
		rc = preflight_check(g->config, e);
	if (rc < 0) {
		free_generation(g);
		buf_deinit(&ignored);
		return -1;
	}
	/* A reload cannot change the ports or the data directory, for example. */
	if (ignored.len)
		LOG(LOG_WARN, "reload.needs_restart", LOG_S("settings", buf_text(&ignored)),
		    LOG_S("hint", "these settings change only with a restart of postern"));
	buf_deinit(&ignored);
	preflight_warn(g->config);
	add_workers(g, g->config);
	g->older = app->last;
	app->last = g;
	app->config = g->config;
	*jobs = g->jobs;
	*n = g->n_jobs;
	return 0;
}

static void close_app(struct app *app)
{
	while (app->last && app->last != &app->first) {
		struct generation *g = app->last;

		app->last = g->older;
		free_generation(g);
	}
	for (size_t i = 0; i < app->n_owners; i++)
		free(app->owners[i]);
	listen_close(&app->listen);
	listen_close(&app->metrics_listen);
	redis_child_release(&app->redis);
}

static int supervise(struct app *app, const struct config *config, bool hangup_ends)
{
	struct supervisor_plan plan = {
		.config = config,
		.listen_fds = app->fds,
		.n_listen_fds = app->listen.n + app->metrics_listen.n,
		.n_metrics_fds = app->metrics_listen.n,
		.lock_fd = app->redis.lock_fd,
		.hangup_ends = hangup_ends,
		.reload = reload,
		.reload_arg = app,
		.jobs = app->first.jobs,
		.n_jobs = app->first.n_jobs,
	};

	app->last = &app->first;
	app->config = config;
	app->n_owners = journal_owners(config->data_dir, app->owners, OWNERS_MAX);
	plan.dead_owners = (const char *const *)app->owners;
	plan.n_dead_owners = app->n_owners;
	return supervisor_run(&plan);
}

int app_run(struct config *config, const struct app_options *options, struct err *e)
{
	struct app app = {.redis.lock_fd = -1};
	int status = open_app(&app, config, options->makes_root_key, e);

	if (status == 0) {
		log_start(&app, config);
		if (options->warns)
			preflight_warn(config);
		add_jobs(&app, config, options->greet);
		status = supervise(&app, config, options->hangup_ends);
	}
	close_app(&app);
	return status;
}

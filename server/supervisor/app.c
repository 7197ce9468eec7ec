/* Puts the house together. */
#include "server/supervisor/app.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "api/api_role.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/cli/config_check.h"
#include "server/supervisor/data_dir.h"
#include "server/supervisor/listen.h"
#include "server/supervisor/process.h"
#include "server/supervisor/redis_child.h"
#include "server/supervisor/secret.h"
#include "server/supervisor/supervisor.h"
#include "server/hooks/hooks_role.h"
#include "server/keeper/keeper.h"
#include "smtp/relay/journal.h"
#include "smtp/relay/relay_role.h"

#define OWNERS_MAX 64
#define JOBS_MAX 8
#define PORT_MS 1000

/* The jobs of one configuration. */
struct generation {
	struct generation *older;
	struct config *config; /* NULL: the caller's */
	struct supervisor_job jobs[JOBS_MAX];
	size_t n_jobs;
};

struct app {
	struct listen listen;
	struct redis_child redis;
	struct generation first, *last;
	const struct config *config; /* of the last generation */
	char *owners[OWNERS_MAX];    /* with a journal from an earlier run */
	size_t n_owners;
};

static unsigned workers(int64_t setting)
{
	return setting ? (unsigned)setting : process_cores();
}

static void add(struct generation *g, struct supervisor_job job)
{
	g->jobs[g->n_jobs++] = job;
}

static void add_workers(struct generation *g, const struct config *config)
{
	if (config->roles & ROLE_KEEPER)
		add(g, (struct supervisor_job){.role = "keeper", .run = role_keeper, .count = 1});
	if (config->roles & ROLE_HOOKS)
		add(g, (struct supervisor_job){.role = "hooks", .run = role_hooks, .count = 1});
	if (config->roles & ROLE_RELAY)
		add(g, (struct supervisor_job){.role = "relay",
					       .run = role_relay,
					       .recover = role_recover,
					       .count = workers(config->workers_relay)});
	if (config->roles & ROLE_API)
		add(g, (struct supervisor_job){.role = "api",
					       .run = role_api,
					       .count = workers(config->workers_api),
					       .listens = true});
	for (size_t i = 0; i < g->n_jobs; i++)
		g->jobs[i].config = config;
}

static void add_jobs(struct app *h, const struct config *config, role_fn *greet)
{
	if (h->redis.lock_fd >= 0)
		add(&h->first,
		    (struct supervisor_job){.role = "redis",
					    .run = redis_child_run,
					    .count = 1,
					    .is_floor = true,
					    .is_up = redis_child_is_up,
					    .hint = "its log is redis/redis.log in data_dir"});
	add_workers(&h->first, config);
	if (greet)
		add(&h->first, (struct supervisor_job){
				       .role = "dev", .run = greet, .count = 1, .is_once = true});
}

/* The children of a killed postern may hold the port a moment longer. */
static int open_port(struct app *h, const struct config *config, struct err *e)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	int64_t until = clock_mono_ms() + PORT_MS;
	int status = listen_open(&h->listen, config->listen, e);

	while (status < 0 && e->kind == ERR_RETRY && clock_mono_ms() < until) {
		nanosleep(&pause, NULL);
		status = listen_open(&h->listen, config->listen, e);
	}
	return status;
}

static int open_house(struct app *h, struct config *config, bool is_dev, struct err *e)
{
	if (check_config(config, e) < 0 || data_dir_make(config->data_dir, e) < 0)
		return -1;
	if ((config->roles & ROLE_API) && open_port(h, config, e) < 0)
		return -1;
	if (secret_prepare(config, e) < 0 || (is_dev && secret_prepare_root_key(config, e) < 0))
		return -1;
	if (!*config->redis_url && redis_child_prepare(&h->redis, config, e) < 0)
		return -1;
	if (metrics_init() < 0)
		return err_oom(e);
	metrics_use_slot(0);
	if (config->require_verified_domain)
		LOG(LOG_WARN, "config.no_effect", LOG_S("setting", "require_verified_domain"),
		    LOG_S("hint", "domains cannot be verified in this version: live keys send "
				  "from any"));
	return 0;
}

/* Another generation, for the supervisor; its configuration and its files are good. */
static int reload(void *arg, const struct supervisor_job **jobs, size_t *n, struct err *e)
{
	struct app *h = arg;
	struct generation *g = calloc(1, sizeof(*g));
	struct buf ignored = {0};
	int rc;

	if (!g)
		return err_oom(e);
	rc = config_reload(h->config, &g->config, &ignored, e);
	if (rc == 0)
		rc = check_config(g->config, e);
	if (rc < 0) {
		config_free(g->config);
		free(g);
		buf_deinit(&ignored);
		return -1;
	}
	if (ignored.len)
		LOG(LOG_WARN, "reload.needs_restart", LOG_S("settings", buf_text(&ignored)),
		    LOG_S("hint", "these keep their values until postern is started anew"));
	buf_deinit(&ignored);
	add_workers(g, g->config);
	g->older = h->last;
	h->last = g;
	h->config = g->config;
	*jobs = g->jobs;
	*n = g->n_jobs;
	return 0;
}

static void free_generations(struct app *h)
{
	while (h->last && h->last != &h->first) {
		struct generation *g = h->last;

		h->last = g->older;
		config_free(g->config);
		free(g);
	}
}

int app_run(const struct command *c, struct config *config, role_fn *greet, bool hangup_ends)
{
	struct app h = {.redis.lock_fd = -1};
	struct supervisor_plan plan = {.config = config, .hangup_ends = hangup_ends};
	struct err e;
	int status;

	if (open_house(&h, config, greet != NULL, &e) < 0) {
		status = cli_failed(c, &e);
	} else {
		add_jobs(&h, config, greet);
		plan.listen_fds = h.listen.fds;
		plan.n_listen_fds = h.listen.n;
		plan.lock_fd = h.redis.lock_fd;
		plan.jobs = h.first.jobs;
		plan.n_jobs = h.first.n_jobs;
		plan.reload = reload;
		plan.reload_arg = &h;
		h.last = &h.first;
		h.config = config;
		h.n_owners = journal_owners(config->data_dir, h.owners, OWNERS_MAX);
		plan.dead_owners = (const char *const *)h.owners;
		plan.n_dead_owners = h.n_owners;
		status = supervisor_run(&plan);
		for (size_t i = 0; i < h.n_owners; i++)
			free(h.owners[i]);
	}
	free_generations(&h);
	listen_close(&h.listen);
	redis_child_release(&h.redis);
	return status;
}

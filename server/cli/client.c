/* A command's connection to Redis. */
#include "server/cli/client.h"

#include "server/base/loop.h"
#include "server/cli/cli.h"
#include "server/supervisor/redis_child.h"
#include "server/redis/redis.h"

#define READY_MS 5000
#define WAIT_MS 10000

const struct config_preset client_presets[] = {{"log_level", "error"}, {NULL, NULL}};

/* Without this check a command would wait for a socket that nobody serves. */
static int find_redis(const struct config *config, struct err *e)
{
	if (*config->redis_url || redis_child_is_up(config))
		return 0;
	return err_set(e, ERR_RETRY,
		       "no Redis found: POSTERN_REDIS_URL is not set, and no `postern serve` or "
		       "`postern dev` uses the data directory %.100s. Start one, or set "
		       "POSTERN_REDIS_URL or POSTERN_DATA_DIR",
		       config->data_dir);
}

/* Connected is enough: also a Redis that takes no mail now can be read. */
int client_reach(struct client *c, const struct config *config, struct err *e)
{
	*c = (struct client){.status = -1};
	if (find_redis(config, e) < 0)
		return -1;
	c->loop = loop_new();
	if (!c->loop)
		return err_oom(e);
	if (redis_open(&c->redis, c->loop, config, REDIS_SCRIPTS, e) == 0 &&
	    (redis_wait_ready(c->redis, READY_MS, e) == 0 || redis_is_connected(c->redis)))
		return 0;
	client_close(c);
	return -1;
}

int client_open(struct client *c, const struct config *config, struct err *e)
{
	const char *why;

	if (client_reach(c, config, e) < 0)
		return -1;
	if (redis_is_ready(c->redis, &why))
		return 0;
	err_set(e, ERR_RETRY, "Redis is not ready: %s", why);
	client_close(c);
	return -1;
}

void client_close(struct client *c)
{
	if (c->redis)
		redis_close(c->redis);
	if (c->loop)
		loop_free(c->loop);
	*c = (struct client){0};
}

void client_end(struct client *c, const struct err *why)
{
	c->status = why ? -1 : 0;
	if (why)
		c->why = *why;
	loop_stop(c->loop);
}

static void on_limit(void *arg)
{
	struct client *c = arg;
	struct err e;

	err_set(&e, ERR_RETRY, "Redis did not reply within %lld s", (long long)c->limit_ms / 1000);
	client_end(c, &e);
}

int client_wait(struct client *c, struct err *e)
{
	struct loop_timer timer = {0};

	if (c->status < 0 && c->why.kind == ERR_NONE) { /* else client_end() was called already */
		if (loop_timer_init(&timer, c->loop, on_limit, c) < 0)
			return err_oom(e);
		if (!c->limit_ms)
			c->limit_ms = WAIT_MS;
		loop_timer_set(&timer, c->limit_ms);
		loop_run(c->loop);
		loop_timer_deinit(&timer);
	}
	if (c->status < 0)
		*e = c->why;
	return c->status;
}

int client_run(const char *file, client_open_fn *open, client_ask_fn *ask, void *arg, struct err *e)
{
	struct config *config;
	struct client c;
	int status = -1;

	if (cli_load_config(&config, file, client_presets, e) < 0)
		return -1;
	if (open(&c, config, e) == 0) {
		c.arg = arg;
		ask(&c);
		status = client_wait(&c, e);
		client_close(&c);
	}
	config_free(config);
	return status;
}

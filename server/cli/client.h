#ifndef SERVER_CLI_CLIENT_H
#define SERVER_CLI_CLIENT_H

#include "server/config/config.h"
#include "server/base/err.h"

struct loop;
struct redis;

/* A command's connection to Redis: a loop, and a client that is ready. */
struct client {
	struct loop *loop;
	struct redis *redis;
	void *arg;        /* as given to client_run() */
	int64_t limit_ms; /* of client_wait(); 0 = 10 s */
	struct err why;   /* why it failed; set by client_end() */
	int status;       /* of client_end(): 0 or -1 */
};

/* Defaults of commands: the log has errors only. */
extern const struct config_preset client_presets[];

/* Connects and waits until Redis accepts mail. Without redis_url, uses the embedded Redis of a
 * running Postern with the same data directory. ERR_RETRY: there is none, or Redis does not accept
 * mail now. */
int client_open(struct client *c, const struct config *config, struct err *e);
/* As client_open, but a Redis that does not accept mail is enough. */
int client_reach(struct client *c, const struct config *config, struct err *e);
void client_close(struct client *c);
/* For callbacks: keeps the outcome (why NULL = success) and ends client_wait(). */
void client_end(struct client *c, const struct err *why);
/* Waits for client_end(), at most limit_ms. 0, or -1 with the reason. */
int client_wait(struct client *c, struct err *e);

/* Loads the configuration of file, opens the client, calls ask, waits for client_end(), and closes
 * the client. arg is c->arg. */
typedef int client_open_fn(struct client *c, const struct config *config, struct err *e);
typedef void client_ask_fn(struct client *c);
int client_run(const char *file, client_open_fn *open, client_ask_fn *ask, void *arg,
	       struct err *e);

#endif

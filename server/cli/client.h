#ifndef SERVER_CLI_CLIENT_H
#define SERVER_CLI_CLIENT_H

#include "server/config/config.h"
#include "server/base/err.h"

struct loop;
struct redis;

/* A command's way to the store: a loop, and a store that is ready. */
struct client {
	struct loop *loop;
	struct redis *redis;
	struct err why; /* what went wrong, for the command's callbacks */
	int status;     /* -1 until one of them says otherwise */
};

/* Defaults of commands: their stderr is for the one sentence that matters. */
extern const struct config_preset client_presets[];

/* When redis_url is not set, the embedded Redis of a running postern on the same data directory is
 * asked. ERR_RETRY: nobody there. */
int client_open(struct client *c, const struct config *config, struct err *e);
/* The same, and a store that takes no mail just now will do. */
int client_reach(struct client *c, const struct config *config, struct err *e);
void client_close(struct client *c);
/* From a callback: keep the outcome (why NULL = done) and end client_wait. */
void client_end(struct client *c, const struct err *why);
/* Until client_end, at most 10 s. 0, or -1 with the reason. */
int client_wait(struct client *c, struct err *e);

/* All of it: configuration of file, store, ask (which leads to client_end), end. */
typedef int client_open_fn(struct client *c, const struct config *config, struct err *e);
typedef void client_ask_fn(struct client *c, const void *arg);
int client_run(const char *file, client_open_fn *open, client_ask_fn *ask, const void *arg,
	       struct err *e);

#endif

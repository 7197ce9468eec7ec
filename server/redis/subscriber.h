#ifndef SERVER_REDIS_SUBSCRIBER_H
#define SERVER_REDIS_SUBSCRIBER_H

#include "server/redis/call.h"

struct store;
struct store_url;

/* The subscriber's connection: publications of all partitions, by channel name. */

struct listener;
struct listener *listener_new(struct store *s, const struct store_url *url);
void listener_free(struct listener *l);
/* Subscribes anew. */
void listener_restart(struct listener *l);
void listener_add(struct listener *l, const char *name, channel_fn *fn, void *arg);

#endif

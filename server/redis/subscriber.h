#ifndef SERVER_REDIS_SUBSCRIBER_H
#define SERVER_REDIS_SUBSCRIBER_H

#include "server/redis/call.h"

struct redis;
struct redis_url;

/* The subscriber's connection: publications of all partitions, by channel name. */

struct subscriber;
struct subscriber *subscriber_new(struct redis *redis, const struct redis_url *url);
void subscriber_free(struct subscriber *l);
/* Subscribes anew. */
void subscriber_restart(struct subscriber *l);
void subscriber_add(struct subscriber *l, const char *name, channel_fn *fn, void *arg);

#endif

#ifndef SERVER_REDIS_SUBSCRIBER_H
#define SERVER_REDIS_SUBSCRIBER_H

#include <stddef.h>

struct loop;
struct conn_target;

/* A connection that receives the publications of all partitions, by channel name. Publications are
 * lost while it reconnects. So fn fires with text NULL after each new subscription, and the user
 * reads the current state. text is borrowed for the callback. */

typedef void channel_fn(const char *text, size_t len, void *arg);

struct subscriber;
struct subscriber *subscriber_new(struct loop *loop, const struct conn_target *target);
void subscriber_free(struct subscriber *s);
/* Sets the number of partitions and subscribes again. */
void subscriber_set_partitions(struct subscriber *s, unsigned partitions);
/* Adds a channel; at most 4 a process. */
void subscriber_add(struct subscriber *s, const char *name, channel_fn *fn, void *arg);

#endif

#ifndef SERVER_REDIS_SUBSCRIBER_H
#define SERVER_REDIS_SUBSCRIBER_H

#include <stddef.h>

struct loop;
struct redis_url;

/* A connection that receives publications of all partitions, by channel name. Publications are lost
 * while it reconnects: after each new subscription fn fires with text NULL, and users look for
 * themselves. */

typedef void channel_fn(const char *text, size_t len, void *arg);

struct subscriber;
struct subscriber *subscriber_new(struct loop *loop, const struct redis_url *url);
void subscriber_free(struct subscriber *s);
/* Subscribes again, for so many partitions. */
void subscriber_set_partitions(struct subscriber *s, unsigned partitions);
/* At most 4 channels a process. */
void subscriber_add(struct subscriber *s, const char *name, channel_fn *fn, void *arg);

#endif

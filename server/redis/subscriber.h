#ifndef SERVER_REDIS_SUBSCRIBER_H
#define SERVER_REDIS_SUBSCRIBER_H

#include <stddef.h>

struct node;

/* A connection that receives the publications of a node's partitions, by channel name. Publications
 * are lost while it reconnects. So fn fires with text NULL after each new subscription, and the
 * user reads the current state. text is borrowed for the callback. */

typedef void channel_fn(unsigned partition, const char *text, size_t len, void *arg);

/* The channels of all partitions, for the subscribers of all nodes. */
#define CHANNELS_MAX 4
struct subscriptions {
	struct {
		char name[16];
		channel_fn *fn;
		void *arg;
	} channels[CHANNELS_MAX];
	int n;
};
void subscriptions_add(struct subscriptions *s, const char *name, channel_fn *fn, void *arg);

struct subscriber;
/* The node is borrowed. NULL: out of memory. */
struct subscriber *subscriber_new(struct node *node);
void subscriber_free(struct subscriber *s);
/* The node's partitions or the channels have changed: subscribes again. */
void subscriber_again(struct subscriber *s);

#endif

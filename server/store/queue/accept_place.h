#ifndef SERVER_STORE_QUEUE_ACCEPT_PLACE_H
#define SERVER_STORE_QUEUE_ACCEPT_PLACE_H

struct redis;

/* Which partition a new message goes to: accept_partition() in accept.h, and its parts. */

/* The partition of a key while new messages use n partitions. */
unsigned accept_place(const char *project, const char *key, unsigned n);
/* The number of partitions that a key selected this partition from. */
unsigned accept_place_number(const struct redis *redis, const char *project, const char *key,
			     unsigned partition);

#endif

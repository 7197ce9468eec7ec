#ifndef SERVER_STORE_QUEUE_JOBS_INTERNAL_H
#define SERVER_STORE_QUEUE_JOBS_INTERNAL_H

#include "server/redis/command.h"

struct config;

/* Item i of an answer that is a list of numbers; 0 where there is none. */
long long jobs_integer(const redisReply *whole, size_t i);

#define JOBS_LEASE_MS 60000 /* renewed every third of it */
#define JOBS_OWNER_MS 60000 /* an owner unheard of for so long is taken for dead */

/* The release transition: owner "" = leases and owners whose time ran out. */
void command_release(struct command *c, unsigned partition, const char *owner,
		     const struct config *config);
/* Metrics and log lines of what its answer tells. */
void jobs_count_released(const redisReply *reply);

#endif

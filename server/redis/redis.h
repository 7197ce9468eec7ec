#ifndef SERVER_REDIS_REDIS_H
#define SERVER_REDIS_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/redis/callback.h"
#include "server/redis/subscriber.h"

struct buf;
struct loop;
struct config;
struct command;
struct partitions;

/* The Redis client of one process. It connects, authenticates, loads the scripts, and checks the
 * settings and the `meta` key. After a lost connection it repeats all of this, and sends calls
 * without a reply again. This is safe because every script gives the same result when it runs
 * twice. Nothing here blocks, except redis_wait_ready. */

struct redis;

enum redis_need {
	REDIS_SCRIPTS = 1, /* calls (two connections, and one for redis_call_bulk on first use) */
	REDIS_SUBSCRIBER = 2, /* publications (one more) */
};

/* Call it after the fork. Starts to connect; it is no error when Redis is down. needs: bits of enum
 * redis_need. config is borrowed. ERR_INPUT: redis_url or data_dir is wrong. */
int redis_open(struct redis **redis, struct loop *loop, const struct config *config, unsigned needs,
	       struct err *e);
/* Ends all pending calls as CALL_UNKNOWN or CALL_NEVER_SENT; their callbacks fire now. Call it
 * before the contexts of the calls are freed. */
void redis_abandon(struct redis *redis);
/* Frees everything; no callback fires. */
void redis_close(struct redis *redis);

/* ---- state ---- */

/* True if mail can be accepted in a partition: connected, the settings are right, and the `meta`
 * key is ours. Else why (may be NULL) gets the reason, a sentence for an operator. partition:
 * REDIS_GLOBAL for the keys of the installation. */
bool redis_partition_is_ready(const struct redis *redis, unsigned partition, const char **why);
/* The same, and no command for it was refused within the last second because its slot is being
 * moved. New mail that can go anywhere goes elsewhere. */
bool redis_partition_is_open(const struct redis *redis, unsigned partition);
/* True if accepted mail of the partition can be processed, whatever the settings: connected, and
 * the `meta` key is ours. */
bool redis_partition_is_connected(const struct redis *redis, unsigned partition);
/* The same for any partition. Without a cluster all partitions have the same state. */
bool redis_is_ready(const struct redis *redis, const char **why);
bool redis_is_connected(const struct redis *redis);
/* True for the first partition of each Redis server: for questions about all servers, such as TIME.
 */
bool redis_partition_is_first(const struct redis *redis, unsigned partition);
/* Writes which partitions of a cluster take no mail now, and why, as a sentence for an operator.
 * False: all take mail, or none. */
bool redis_write_refusing(const struct redis *redis, struct buf *out);
/* Adds metrics of the partitions of a cluster, as Prometheus reads them. */
void redis_write_metrics(const struct redis *redis, struct buf *out);
/* "fsync", "relaxed" or "replicated": the durability that a 202 promises now. */
const char *redis_durability(const struct redis *redis);
/* The clock of the partition's Redis minus clock_real_ms(), as last measured. The clocks of a
 * cluster are in step, so any partition will do where some ms do not matter. */
int64_t redis_clock_offset_ms(const struct redis *redis, unsigned partition);
/* How much memory Redis, or all nodes of a cluster, may use, in bytes, as last measured; 0: not
 * known. */
int64_t redis_memory_max(const struct redis *redis);
/* How much memory it uses, or they use, in bytes. Measured every 5 s. */
int64_t redis_memory_used(const struct redis *redis);
/* The number of partitions that exist, for readers; 1 until Redis was connected for the first time.
 * It grows while the process runs: code that waits for a reply keeps its own copy. */
unsigned redis_partitions(const struct redis *redis);
/* The number that new messages use now. What is split in equal parts is split by it. */
unsigned redis_spread(const struct redis *redis);
/* All that is known of the partitions. Read every second. */
const struct partitions *redis_growth(const struct redis *redis);
/* The time by the clock of the Redis that has `meta`. */
int64_t redis_time_ms(const struct redis *redis);
/* Until this time, all that is known of the partitions is true, whatever others do: until
 * PARTITIONS_KNOWN_MS after the last reading. INT64_MAX while the Redis that has `meta` is away:
 * then nobody changes it, unless only this process cannot reach it. */
int64_t redis_known_until_ms(const struct redis *redis);
/* Prepares a partition for use: its cursors, and its part of limits. back: with CALLBACK only.
 * CALL_FAILED: it belongs to another store, or it has lost its data. */
void redis_prepare_partition(struct redis *redis, unsigned partition, struct callback back);
/* Runs the loop until all partitions are ready, for at most ms. For commands and start-up only.
 * ERR_RETRY: none is ready in time, with the reason. */
int redis_wait_ready(struct redis *redis, int64_t ms, struct err *e);

/* ---- calls, for the store ---- */

/* Sends a command to the Redis that has its keys. connection: any number; modulo the number of
 * connections it selects one. limit_ms: time limit; 0 = none. Takes the command's memory. back.fn
 * fires exactly once, after this function has returned. A command that failed for lack of memory
 * ends as CALL_FAILED (ERR_INTERNAL). */
void redis_call(struct redis *redis, struct command *take, unsigned connection, int64_t limit_ms,
		struct callback back);
/* As redis_call, for calls that carry up to some 100 KB in the command or in the reply. They have a
 * connection of their own, so that fences, leases and results do not wait for them. At most 16 of
 * them and 512 KB of commands are without a reply; the others wait in order. */
void redis_call_bulk(struct redis *redis, struct command *take, int64_t limit_ms,
		     struct callback back);
/* Fires back.fn as for a call that ran out of memory. For callers that could not allocate their own
 * context. */
void redis_call_oom(struct redis *redis, struct callback back);

/* Calls fn for each publication on a channel in every partition. name: "wake" or "inbox". Does
 * nothing without REDIS_SUBSCRIBER. */
void redis_subscribe(struct redis *redis, const char *name, channel_fn *fn, void *arg);

/* State that a part of the store keeps for this client. It is made on first use and freed by
 * redis_close. The address of the kind identifies the part; at most 16 kinds. */
struct redis_part_kind {
	void *(*make)(struct redis *redis); /* NULL: out of memory */
	void (*abandon)(void *state); /* ends the part's calls that were not sent; may be NULL */
	void (*free_fn)(void *state);
};
/* The state of this kind. NULL: out of memory. */
void *redis_part(struct redis *redis, const struct redis_part_kind *kind);

struct loop *redis_loop(struct redis *redis);
const struct config *redis_config(const struct redis *redis);
/* A script on the partition returned Redis's time: updates the clock offset. */
void redis_saw_time(struct redis *redis, unsigned partition, int64_t redis_ms);
/* A deadline in Redis's time passed too early, so one of the clocks may have been changed: sends
 * TIME. */
void redis_was_late(struct redis *redis, unsigned partition);

#endif

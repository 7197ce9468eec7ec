/* The first steps on each new connection. */
#include "server/redis/handshake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/config/config.h"
#include "server/redis/link/conn.h"
#include "server/redis/node.h"
#include "server/redis/link/script.h"

/* The layout of the store. A store with another number is refused: docs/upgrading.md. */
#define SCHEMA "3"

#define META_WORDS 6

static void on_noted(const struct call_result *result, void *context)
{
	(void)result; /* without a time limit, it fails only if Redis refuses it */
	(void)context;
}

static struct handshake_store *store_of(const struct handshake *h)
{
	return &h->node->shared->store;
}

static void step_failed(struct handshake *h, const char *what, const char *reason)
{
	char why[200];

	snprintf(why, sizeof(why), "%s: %s", what, reason);
	conn_drop(h->calls->conn, why);
}

/* Out of memory: a step that was not sent never ends. */
static void step_unsent(struct handshake *h)
{
	calls_reconnect(h->calls, "handshake: the commands could not be sent");
}

static void step_done(struct handshake *h)
{
	/* 0: the connection was lost, or dropped, before this reply. */
	if (h->steps_left == 0 || --h->steps_left > 0)
		return;
	LOG(LOG_DEBUG, "store.connected", LOG_N("connection", h->number));
	calls_went_up(h->calls);
	health_report(&h->node->health);
}

static void on_step(const redisReply *r, void *arg)
{
	struct handshake *h = arg;

	if (!r)
		return;
	if (r->type == REDIS_REPLY_ERROR)
		step_failed(h, "refused the handshake", r->str);
	else
		step_done(h);
}

static void on_step_info(const redisReply *r, void *arg)
{
	struct handshake *h = arg;

	if (r && r->type == REDIS_REPLY_STRING)
		health_keep_info(&h->node->health, r);
	on_step(r, arg);
}

static void on_step_config(const redisReply *r, void *arg)
{
	struct handshake *h = arg;

	if (!r)
		return;
	health_judge(&h->node->health, r); /* an error reply counts: access is denied */
	step_done(h);
}

static void on_step_time(const redisReply *r, void *arg)
{
	struct handshake *h = arg;

	if (r)
		health_keep_time(&h->node->health, r);
	on_step(r, arg);
}

static void send_step(struct handshake *h, struct command *take, reply_fn *fn)
{
	h->steps_left++;
	if (!conn_send_command(h->calls->conn, take, fn, h))
		step_unsent(h);
}

/* POSTERN_OTP_WAITING is for the whole store. Each partition that new messages use gets an equal
 * part of it, and at least 1. */
void handshake_init_partition(struct command *c, const struct handshake_store *store,
			      unsigned partition)
{
	const struct partitions *p = &store->partitions;
	int64_t part = store->config->otp_waiting / partitions_step_at(p, p->read_ms)->n;

	script_init_partition(c, partition,
			      &(struct script_init_partition){
				      .otp_limit = part > 0 ? part : 1,
				      .instance = store->instance.id,
				      .may_make = !store->made[partition],
			      });
}

/* Once a partition is in this set, it must not be empty any more. */
static void note_made(struct node_shared *shared, unsigned partition)
{
	struct node *owner = shared->owners[node_root(REDIS_GLOBAL)];
	struct command c = {0};

	shared->store.made[partition] = true;
	command_start(&c, "SADD");
	command_key(&c, REDIS_GLOBAL, KEY_MADE);
	command_num(&c, partition);
	calls_add(&owner->calls[0], &c, 0, CALLBACK(on_noted, NULL));
}

static int refuse_partition(unsigned partition, const char *kept, const char *ours, struct err *e)
{
	if (*kept)
		return err_set(e, ERR_REFUSED,
			       "partition %u belongs to another store (%.31s, not %s)", partition,
			       kept, ours);
	return err_set(e, ERR_REFUSED,
		       "partition %u is empty, but it had data: this Redis has lost it. To go on "
		       "without this data, run SREM pn:{g}:made %u, and restart Postern",
		       partition, partition);
}

int handshake_take_partition(struct node_shared *shared, const struct resp *reply, struct err *e)
{
	const char *kept = resp_text(resp_item(reply, INIT_PARTITION_KEPT));
	const char *root = resp_text(resp_item(reply, INIT_PARTITION_ROOT));
	unsigned partition;

	if (sscanf(root, "pn:{p%u}:", &partition) != 1 || partition >= ID_PARTITIONS)
		return err_set(e, ERR_INTERNAL, "init_partition: unexpected reply");
	if (strcmp(kept, shared->store.instance.id) != 0)
		return refuse_partition(partition, kept, shared->store.instance.id, e);
	if (!shared->store.made[partition])
		note_made(shared, partition);
	return 0;
}

static void on_step_partition(const redisReply *r, void *arg)
{
	struct handshake *h = arg;
	struct err why;

	if (!r || r->type == REDIS_REPLY_ERROR)
		on_step(r, arg);
	else if (handshake_take_partition(h->node->shared, (const struct resp *)r, &why) < 0)
		conn_drop(h->calls->conn, why.text);
	else
		step_done(h);
}

static void read_made(struct handshake_store *store, const char *text)
{
	char *end;

	for (unsigned long p = strtoul(text, &end, 10); end != text; p = strtoul(text, &end, 10)) {
		if (p < ID_PARTITIONS)
			store->made[p] = true;
		text = end;
	}
}

static void ask_partitions(struct handshake *h)
{
	struct command c = {0};

	for (unsigned p = 0; p < store_of(h)->partitions.n; p++) {
		if (!node_owns(h->node, p))
			continue;
		handshake_init_partition(&c, store_of(h), p);
		send_step(h, &c, on_step_partition);
	}
	command_start(&c, "TIME");
	send_step(h, &c, on_step_time);
	command_start(&c, "INFO");
	send_step(h, &c, on_step_info);
	h->steps_left++;
	if (!health_ask_config(h->calls, on_step_config, h))
		step_unsent(h);
}

int handshake_take_partitions(struct handshake_store *store, const char *n, const char *growth,
			      int64_t now_ms, struct err *e)
{
	unsigned before = store->partitions.n;

	if (partitions_read(&store->partitions, n, growth, now_ms, e) < 0)
		return -1;
	if (store->partitions.n != before)
		store->on_partitions(store->arg);
	return 0;
}

/* POSTERN_PARTITIONS is the number of a new store. An operator who raises it later may expect that
 * the store grows. */
static void log_fewer(const struct handshake_store *store)
{
	if (store->partitions.n < (unsigned long)store->config->partitions)
		LOG_ONCE(LOG_WARN, "store.fewer_partitions",
			 LOG_N("partitions", store->partitions.n),
			 LOG_N("setting", store->config->partitions),
			 LOG_S("hint", "`postern partitions set N` raises the number"));
}

/* r: {schema, number of partitions, id of the instance, growth, time, partitions made}. The
 * partitions are asked only after this store is known to be ours. */
static void on_step_meta(const redisReply *r, void *arg)
{
	struct handshake *h = arg;
	char why[256];
	struct err e;

	if (!r)
		return;
	if (r->type != REDIS_REPLY_ARRAY) {
		step_failed(h, "refused the handshake", r->str ? r->str : "unexpected reply");
		return;
	}
	for (size_t i = 0; i < r->elements; i++) {
		if (!r->element[i]->str) {
			step_failed(h, "meta", "a field is missing");
			return;
		}
	}
	if (r->elements == META_WORDS && strcmp(r->element[0]->str, SCHEMA) != 0) {
		snprintf(why, sizeof(why),
			 "the store has schema %.8s, and Postern " POSTERN_VERSION " reads " SCHEMA
			 ": deliver its mail with the version that wrote it, then start with an "
			 "empty Redis and an empty data directory (docs/upgrading.md)",
			 r->element[0]->str);
		conn_drop(h->calls->conn, why);
		return;
	}
	if (instance_check(&store_of(h)->instance,
			   r->elements == META_WORDS ? r->element[2]->str : NULL, &e) < 0) {
		conn_drop(h->calls->conn, e.text);
		return;
	}
	read_made(store_of(h), r->element[5]->str);
	if (handshake_take_partitions(store_of(h), r->element[1]->str, r->element[3]->str,
				      strtoll(r->element[4]->str, NULL, 10), &e) < 0) {
		conn_drop(h->calls->conn, e.text);
		return;
	}
	log_fewer(store_of(h));
	ask_partitions(h);
	step_done(h);
}

static void ask_meta(struct handshake *h)
{
	struct id instance = id_make("ins", 0), project = id_make("prj", 0);
	const struct handshake_store *store = store_of(h);
	struct command c = {0};

	script_init_store(&c, REDIS_GLOBAL,
			  &(struct script_init_store){
				  .schema = SCHEMA,
				  .partitions = store->config->partitions,
				  .instance = instance.text,
				  .default_project = project.text,
				  .may_make = !store->instance.id[0],
			  });
	send_step(h, &c, on_step_meta);
}

static void on_step_load(const redisReply *r, void *arg)
{
	bool is_error = r && r->type == REDIS_REPLY_ERROR;

	if (is_error && strstr(r->str, SCRIPT_IS_LOADED))
		step_done(arg);
	else if (is_error)
		step_failed(arg, SCRIPT_LOAD_FAILED, r->str);
	else
		on_step(r, arg);
}

/* r: the libraries of the name of ours. */
static void on_step_library(const redisReply *r, void *arg)
{
	struct handshake *h = arg;
	struct command c = {0};

	if (!r)
		return;
	if (r->type != REDIS_REPLY_ARRAY) {
		step_failed(h, "refused the handshake", r->str ? r->str : "unexpected reply");
		return;
	}
	if (r->elements == 0) {
		script_load(&c);
		send_step(h, &c, on_step_load);
	}
	if (node_owns(h->node, REDIS_GLOBAL))
		ask_meta(h);
	else
		ask_partitions(h);
	step_done(h);
}

void handshake_connected(struct conn *conn, void *arg)
{
	struct handshake *h = arg;
	struct command c = {0};

	(void)conn;
	h->steps_left = 0;
	script_ask(&c);
	send_step(h, &c, on_step_library);
}

void handshake_lost(struct conn *conn, const char *why, void *arg)
{
	struct handshake *h = arg;
	bool was_up = h->calls->is_up, has_changed;

	(void)conn;
	h->calls->is_up = false;
	h->steps_left = 0;
	/* A connection that was never up is not lost: it could not be made, which is logged
	 * once. */
	if (was_up) {
		metric_add(METRIC_STORE_LOST, 1);
		LOG(LOG_WARN, "store.connection_lost", LOG_S("reason", why));
	}
	has_changed = health_lost(&h->node->health, why);
	if (!was_up && has_changed)
		LOG_ONCE(LOG_WARN, "store.cannot_connect",
			 LOG_S("reason", h->node->health.lost_why));
	if (h->node->shared->on_doubt)
		h->node->shared->on_doubt(h->node->shared->arg);
}

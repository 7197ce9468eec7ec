/* Checks the state and the settings of Redis. */
#include "server/redis/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of maxmemory. Above it no new mail is accepted, so that results have room. */
#define HIGH_WATER_PERCENT 80

/* The value of "name:" in an INFO text, truncated to cap. */
static void field(const redisReply *info, const char *name, char *out, size_t cap)
{
	size_t len = strlen(name), n;
	const char *p = info->str;

	out[0] = 0;
	while (p && (strncmp(p, name, len) != 0 || p[len] != ':')) {
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	if (!p)
		return;
	p += len + 1;
	n = strcspn(p, "\r\n");
	if (n >= cap)
		n = cap - 1;
	memcpy(out, p, n);
	out[n] = 0;
}

static int64_t number(const redisReply *info, const char *name)
{
	char text[32];

	field(info, name, text, sizeof(text));
	return strtoll(text, NULL, 10);
}

static void fail(struct redis_settings *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Keeps the first reason. */
static void fail(struct redis_settings *c, const char *fmt, ...)
{
	va_list ap;

	if (!c->holds)
		return;
	c->holds = false;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
}

static void expect(struct redis_settings *c, const redisReply *info, const char *name,
		   const char *value, const char *hint)
{
	char is[64];

	field(info, name, is, sizeof(is));
	if (strcmp(is, value) != 0)
		fail(c, "Redis has %s %s, not %s: %s", name, *is ? is : "(none)", value, hint);
}

/* Some services do not show it. */
static void check_mode(struct redis_settings *c, const redisReply *info, bool is_cluster)
{
	char is[8];

	field(info, "cluster_enabled", is, sizeof(is));
	if (is_cluster && strcmp(is, "0") == 0)
		fail(c, "Redis is not in cluster mode: write redis:// in POSTERN_REDIS_URL");
	if (!is_cluster && strcmp(is, "1") == 0)
		fail(c, "Redis is a node of a cluster: write redis+cluster:// in "
			"POSTERN_REDIS_URL");
}

static const char *setting(const redisReply *config, const char *name)
{
	for (size_t i = 0; i + 1 < config->elements; i += 2)
		if (config->element[i]->str && config->element[i + 1]->str &&
		    strcmp(config->element[i]->str, name) == 0)
			return config->element[i + 1]->str;
	return "";
}

static void check_config(struct redis_settings *c, const redisReply *config, bool may_assume)
{
	static const struct {
		const char *name, *value;
	} rows[] = {
		{"appendfsync", "always"},
		{"no-appendfsync-on-rewrite", "no"},
	};

	if (config->type != REDIS_REPLY_ARRAY) {
		if (!may_assume)
			fail(c, "Redis does not let its settings be read (CONFIG GET is denied): "
				"allow it, "
				"or set POSTERN_ASSERT_REDIS_SETTINGS=true if they are right");
		return;
	}
	c->stops_whole = strcmp(setting(config, "cluster-require-full-coverage"), "yes") == 0;
	c->loads_halves = strcmp(setting(config, "aof-load-truncated"), "yes") == 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(setting(config, rows[i].name), rows[i].value) != 0)
			fail(c, "Redis has %s %s, not %s: accepted mail could be lost in a crash",
			     rows[i].name, setting(config, rows[i].name), rows[i].value);
}

static void check_replicas(struct redis_settings *c, const redisReply *info,
			   const redisReply *config)
{
	static const char name[] = "min-replicas-to-write";

	/* A replica that still copies the store is connected, but confirms nothing. */
	if (!info->str || !strstr(info->str, ",state=online,"))
		fail(c, "Redis has no replica that is in step: POSTERN_DURABILITY=replicated needs "
			"one");
	if (config->type == REDIS_REPLY_ARRAY && strtol(setting(config, name), NULL, 10) < 1)
		fail(c,
		     "Redis has %s %s: set it to 1, so that a server that lost its replicas "
		     "refuses mail",
		     name, setting(config, name));
}

void settings_check(const redisReply *info, const redisReply *config,
		    const struct settings_wanted *wanted, struct redis_settings *out)
{
	struct redis_settings c = {.holds = true};
	char version[32];
	int64_t max;

	field(info, "redis_version", version, sizeof(version));
	/* Only the major number: "7.2.4". */
	if (strtol(version, NULL, 10) < 7)
		fail(&c, "Redis %s is too old: 7.0 or later is needed", version);
	expect(&c, info, "loading", "0", "it is still reading its files");
	check_mode(&c, info, wanted->is_cluster);
	expect(&c, info, "role", "master", "a replica cannot accept mail");
	expect(&c, info, "aof_last_write_status", "ok", "its disk may be full");
	c.memory_bytes = number(info, "used_memory");
	max = number(info, "maxmemory");
	c.is_unlimited = max == 0;
	/* Without maxmemory, the kernel may kill Redis; half of the memory is a guess at what is
	 * safe. */
	c.memory_max_bytes = max > 0 ? max : number(info, "total_system_memory") / 2;
	if (max > 0 && c.memory_bytes / (max / 100 + 1) >= HIGH_WATER_PERCENT)
		fail(&c, "Redis uses %lld of %lld bytes: no new mail above %d %%",
		     (long long)c.memory_bytes, (long long)max, HIGH_WATER_PERCENT);
	/* The checks up to here say whether Redis can store mail, those that follow whether it
	 * keeps it. */
	c.is_able = c.holds;
	expect(&c, info, "aof_enabled", "1",
	       "set appendonly yes, or accepted mail is lost in a crash");
	check_config(&c, config, wanted->may_assume);
	expect(&c, info, "maxmemory_policy", "noeviction",
	       "any other policy deletes mail when memory is short");
	if (wanted->needs_replica)
		check_replicas(&c, info, config);
	*out = c;
}

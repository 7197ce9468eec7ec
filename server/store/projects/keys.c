/* Projects and API keys: looked up by hash, remembered for a second. */
#include "server/store/projects/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "server/base/clock.h"
#include "server/base/hex.h"
#include "server/base/id.h"
#include "server/base/sha256.h"
#include "server/redis/call.h"
#include "server/redis/redis.h"

#define REMEMBER_MS 1000
#define CACHE_SLOTS 1024
#define LIMIT_MS 3000
#define DIGEST SHA256_BYTES
#define SECRET_LEN 40

struct entry {
	unsigned char digest[DIGEST];
	int64_t until_ms; /* 0 = free */
	bool is_known;
	struct key key;
};

struct cache {
	struct entry entries[CACHE_SLOTS];
};

static void *cache_new(struct redis *redis)
{
	(void)redis;
	return calloc(1, sizeof(struct cache));
}

static const struct redis_part_kind cache_kind = {.make = cache_new, .free_fn = free};

static struct entry *slot_of(struct cache *c, const unsigned char digest[DIGEST])
{
	return &c->entries[(digest[0] << 8 | digest[1]) % CACHE_SLOTS];
}

static void copy_text(json_t *root, const char *name, char *out, size_t cap)
{
	const char *text = json_string_value(json_object_get(root, name));

	snprintf(out, cap, "%s", text ? text : "");
}

static int key_parse(const char *text, size_t len, struct key *key)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	char mode[8];

	if (!root)
		return -1;
	*key = (struct key){0};
	copy_text(root, "id", key->id, sizeof(key->id));
	copy_text(root, "project", key->project, sizeof(key->project));
	copy_text(root, "project_id", key->project_id, sizeof(key->project_id));
	copy_text(root, "name", key->name, sizeof(key->name));
	copy_text(root, "mode", mode, sizeof(mode));
	key->is_test = strcmp(mode, "test") == 0;
	key->scopes = (unsigned)json_integer_value(json_object_get(root, "scopes"));
	key->created_ms = (int64_t)json_number_value(json_object_get(root, "created"));
	json_decref(root);
	return *key->project && *key->id ? 0 : -1;
}

/* ---- find ---- */

struct find {
	struct redis *redis;
	unsigned char digest[DIGEST];
	key_fn *fn;
	void *arg;
};

static void tell(const struct entry *entry, key_fn *fn, void *arg)
{
	struct err why;

	if (entry->is_known) {
		fn(&entry->key, NULL, arg);
		return;
	}
	err_set(&why, ERR_NOT_FOUND, "there is no such key");
	fn(NULL, &why, arg);
}

static void on_found(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct find *f = arg;
	struct cache *cache = redis_part(f->redis, &cache_kind);
	struct entry fresh = {.until_ms = clock_mono_ms() + REMEMBER_MS};
	struct entry *kept = slot_of(cache, f->digest);

	memcpy(fresh.digest, f->digest, DIGEST);
	if (end == CALL_ANSWERED) {
		fresh.is_known = reply->type == REDIS_REPLY_STRING &&
				 key_parse(reply->str, reply->len, &fresh.key) == 0;
		*kept = fresh;
		tell(&fresh, f->fn, f->arg);
	} else if (kept->until_ms && CRYPTO_memcmp(kept->digest, f->digest, DIGEST) == 0) {
		/* The store is away: nothing can be accepted, and what was known is still the best
		 * answer. */
		fresh = *kept;
		tell(&fresh, f->fn, f->arg);
	} else {
		f->fn(NULL, why, f->arg);
	}
	free(f);
}

void keys_find(struct redis *redis, const char *text, size_t len, key_fn *fn, void *arg)
{
	struct cache *cache = redis_part(redis, &cache_kind);
	unsigned char digest[DIGEST];
	char hex[DIGEST * 2 + 1];
	struct command c = {0};
	struct entry *kept;
	struct find *f = calloc(1, sizeof(*f));

	if (!cache || !f)
		abort();
	sha256(text, len, digest);
	kept = slot_of(cache, digest);
	/* A store that refuses mail still knows which keys were revoked. */
	if ((kept->until_ms > clock_mono_ms() || (kept->until_ms && !redis_is_connected(redis))) &&
	    CRYPTO_memcmp(kept->digest, digest, DIGEST) == 0) {
		struct entry copy = *kept;

		free(f);
		tell(&copy, fn, arg);
		return;
	}
	f->redis = redis;
	f->fn = fn;
	f->arg = arg;
	memcpy(f->digest, digest, DIGEST);
	hex_encode(digest, DIGEST, hex);
	command_start(&c, "HGET");
	command_key(&c, REDIS_GLOBAL, "keys");
	command_str(&c, hex);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_found, f);
}

/* ---- make and revoke ---- */

struct make {
	char text[KEY_TEXT_MAX];
	key_created_fn *created;
	key_done_fn *done;
	struct err refusal; /* what the answer 0 means */
	void *arg;
};

static void forget(struct make *m)
{
	explicit_bzero(m->text, sizeof(m->text));
	free(m);
}

static void on_made(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct make *m = arg;
	struct key key;
	struct err e;

	if (end != CALL_ANSWERED) {
		m->created(NULL, NULL, why, m->arg);
	} else if (reply->type == REDIS_REPLY_INTEGER) {
		err_set(&e, ERR_REFUSED, "a project has at most %d keys", KEYS_MAX);
		m->created(NULL, NULL, &e, m->arg);
	} else if (reply->type != REDIS_REPLY_STRING || reply->len == 0) {
		err_set(&e, ERR_NOT_FOUND, "there is no such project");
		m->created(NULL, NULL, &e, m->arg);
	} else if (key_parse(reply->str, reply->len, &key) < 0) {
		err_set(&e, ERR_INTERNAL, "the key's record is damaged");
		m->created(NULL, NULL, &e, m->arg);
	} else {
		m->created(&key, m->text, NULL, m->arg);
	}
	forget(m);
}

void keys_import(struct redis *redis, const char *project, const char *name, unsigned scopes,
		 bool is_test, const char *text, key_created_fn *fn, void *arg)
{
	struct make *m = calloc(1, sizeof(*m));
	unsigned char digest[DIGEST];
	char hex[DIGEST * 2 + 1];
	struct command c = {0};

	if (!m)
		abort();
	snprintf(m->text, sizeof(m->text), "%s", text);
	m->created = fn;
	m->arg = arg;
	sha256(text, strlen(text), digest);
	hex_encode(digest, DIGEST, hex);
	command_script(&c, SCRIPT_KEY_MAKE, REDIS_GLOBAL);
	command_str(&c, project);
	command_str(&c, id_make("key", 0).text);
	command_str(&c, hex);
	command_str(&c, name);
	command_str(&c, is_test ? "test" : "live");
	command_num(&c, scopes);
	command_num(&c, KEYS_MAX);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_made, m);
}

void keys_create(struct redis *redis, const char *project, const char *name, unsigned scopes,
		 bool is_test, key_created_fn *fn, void *arg)
{
	char text[KEY_TEXT_MAX];

	snprintf(text, sizeof(text), "pn_%s_", is_test ? "test" : "live");
	id_random(text + 8, SECRET_LEN); /* 200 bits */
	keys_import(redis, project, name, scopes, is_test, text, fn, arg);
	explicit_bzero(text, sizeof(text));
}

static void on_done(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct make *m = arg;

	if (end != CALL_ANSWERED)
		m->done(why, m->arg);
	else
		m->done(reply->integer == 0 ? &m->refusal : NULL, m->arg);
	forget(m);
}

void keys_revoke(struct redis *redis, const char *project, const char *id, key_done_fn *fn,
		 void *arg)
{
	struct make *m = calloc(1, sizeof(*m));
	struct command c = {0};

	if (!m)
		abort();
	err_set(&m->refusal, ERR_NOT_FOUND, "there is no such key");
	m->done = fn;
	m->arg = arg;
	command_script(&c, SCRIPT_KEY_REVOKE, REDIS_GLOBAL);
	command_str(&c, id);
	command_str(&c, project ? project : "");
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_done, m);
}

/* ---- lists ---- */

struct listing {
	keys_fn *keys;
	projects_fn *projects;
	void *arg;
};

/* By id, as pages go on behind one: of two made in one ms either may be the newer. */
static int newest_key_first(const void *a, const void *b)
{
	return strcmp(((const struct key *)b)->id, ((const struct key *)a)->id);
}

static void on_keys(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct listing *l = arg;
	size_t most = end == CALL_ANSWERED && r->type == REDIS_REPLY_ARRAY ? r->elements : 0, n = 0;
	struct key *list = calloc(most + 1, sizeof(*list));

	if (!list)
		abort();
	for (size_t i = 0; i < most; i++)
		if (key_parse(r->element[i]->str, r->element[i]->len, &list[n]) == 0)
			n++;
	qsort(list, n, sizeof(*list), newest_key_first);
	l->keys(list, n, end == CALL_ANSWERED ? NULL : why, l->arg);
	free(list);
	free(l);
}

void keys_list(struct redis *redis, const char *project, keys_fn *fn, void *arg)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct command c = {0};

	if (!l)
		abort();
	*l = (struct listing){.keys = fn, .arg = arg};
	command_script(&c, SCRIPT_KEY_LIST, REDIS_GLOBAL);
	command_str(&c, project);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_keys, l);
}

/* ---- projects ---- */

static int project_parse(const redisReply *r, struct project *p)
{
	json_t *root = r->type == REDIS_REPLY_STRING ? json_loadb(r->str, r->len, 0, NULL) : NULL;

	if (!root)
		return -1;
	*p = (struct project){0};
	copy_text(root, "id", p->id, sizeof(p->id));
	copy_text(root, "name", p->name, sizeof(p->name));
	p->created_ms = (int64_t)json_number_value(json_object_get(root, "created"));
	if (json_object_get(root, "deleted"))
		p->id[0] = 0;
	json_decref(root);
	return *p->id ? 0 : -1;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(((const struct project *)b)->id, ((const struct project *)a)->id);
}

static void on_projects(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct listing *l = arg;
	size_t most = end == CALL_ANSWERED && r->type == REDIS_REPLY_ARRAY ? r->elements : 1, n = 0;
	struct project *list = calloc(most + 1, sizeof(*list));
	struct err taken;

	if (!list)
		abort();
	if (end == CALL_ANSWERED && r->type == REDIS_REPLY_STRING) {
		n = project_parse(r, list) == 0;
		err_set(&taken, ERR_INPUT, "the name is taken");
		l->projects(list, n, n ? NULL : &taken, l->arg);
	} else {
		for (size_t i = 0; end == CALL_ANSWERED && i < most; i++)
			if (project_parse(r->element[i], &list[n]) == 0)
				n++;
		qsort(list, n, sizeof(*list), newest_first);
		l->projects(list, n, end == CALL_ANSWERED ? NULL : why, l->arg);
	}
	free(list);
	free(l);
}

static void ask_projects(struct redis *redis, const char *name, projects_fn *fn, void *arg)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct command c = {0};

	if (!l)
		abort();
	*l = (struct listing){.projects = fn, .arg = arg};
	command_script(&c, name ? SCRIPT_PROJECT_MAKE : SCRIPT_PROJECT_LIST, REDIS_GLOBAL);
	if (name) {
		command_str(&c, id_make("prj", 0).text);
		command_str(&c, name);
	}
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_projects, l);
}

void projects_create(struct redis *redis, const char *name, projects_fn *fn, void *arg)
{
	ask_projects(redis, name, fn, arg);
}

static void on_deleted(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct make *m = arg;
	struct err e;

	if (end != CALL_ANSWERED) {
		m->done(why, m->arg);
	} else if (r->type == REDIS_REPLY_INTEGER && r->integer == 1) {
		m->done(NULL, m->arg);
	} else if (r->type == REDIS_REPLY_STRING) {
		err_set(&e, ERR_REFUSED, "%.100s", r->str);
		m->done(&e, m->arg);
	} else {
		err_set(&e, ERR_NOT_FOUND, "there is no such project");
		m->done(&e, m->arg);
	}
	forget(m);
}

void projects_delete(struct redis *redis, const char *project, key_done_fn *fn, void *arg)
{
	struct make *m = calloc(1, sizeof(*m));
	struct command c = {0};
	struct err e;

	if (!m) {
		err_oom(&e);
		fn(&e, arg);
		return;
	}
	m->done = fn;
	m->arg = arg;
	command_script(&c, SCRIPT_PROJECT_DELETE, REDIS_GLOBAL);
	command_str(&c, project);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_deleted, m);
}

void projects_list(struct redis *redis, projects_fn *fn, void *arg)
{
	ask_projects(redis, NULL, fn, arg);
}

/* API keys, found by hash and cached for a second. */
#include "server/store/projects/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/clock.h"
#include "server/base/hex.h"
#include "server/base/id.h"
#include "server/base/random.h"
#include "server/base/sha256.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/projects/projects.h"
#include "server/store/projects/stored_json.h"

#define CACHE_MS 1000
#define CACHE_SLOTS 1024
#define LIMIT_MS 3000
#define DIGEST SHA256_BYTES

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

static int read_key(const struct resp *text, struct key *key)
{
	char number[TENANT_MAX];
	json_t *root;
	int rc = stored_json_row(resp_text(text), resp_len(text), &root);

	if (rc < 0)
		return rc;
	*key = (struct key){0};
	stored_json_copy(root, "id", key->id, sizeof(key->id));
	stored_json_copy(root, "project", number, sizeof(number));
	stored_json_copy(root, "project_id", key->project_id, sizeof(key->project_id));
	stored_json_copy(root, "name", key->name, sizeof(key->name));
	key->is_test = strcmp(stored_json_text(root, "mode"), "test") == 0;
	tenant_name(number, key->is_test, key->tenant);
	key->scopes = (unsigned)stored_json_number(root, "scopes");
	key->created_ms = stored_json_number(root, "created");
	json_decref(root);
	return *number && *key->id ? 0 : RESP_ROW_SKIPPED;
}

/* ---- find ---- */

struct find {
	struct redis *redis;
	unsigned char digest[DIGEST];
	key_fn *fn;
	void *arg;
};

static void give_entry(const struct entry *entry, key_fn *fn, void *arg)
{
	struct err why;

	if (entry->is_known) {
		fn(&entry->key, NULL, arg);
		return;
	}
	err_set(&why, ERR_NOT_FOUND, "no such key");
	fn(NULL, &why, arg);
}

static bool is_of(const struct entry *kept, const unsigned char digest[DIGEST])
{
	return kept->until_ms && CRYPTO_memcmp(kept->digest, digest, DIGEST) == 0;
}

/* As a row (resp.h). A damaged project has the default limits. */
static int read_found(const struct resp *reply, struct key *key)
{
	struct project project;
	int rc = read_key(resp_item(reply, KEY_FIND_KEY), key);
	int of_project = rc == 0 ? project_read(resp_item(reply, KEY_FIND_PROJECT), &project) : rc;

	if (of_project == 0)
		key->quota = project.quota;
	return of_project == RESP_ROW_OOM ? RESP_ROW_OOM : rc;
}

static void on_found(const struct call_result *result, void *context)
{
	struct find *f = context;
	struct cache *cache = redis_part(f->redis, &cache_kind);
	struct entry entry = {.until_ms = clock_mono_ms() + CACHE_MS};
	struct entry *kept = cache ? slot_of(cache, f->digest) : NULL;
	bool has_reply = result->end == CALL_ANSWERED;
	int rc = has_reply ? read_found(result->reply, &entry.key) : 0;
	struct err oom;

	memcpy(entry.digest, f->digest, DIGEST);
	if (rc == RESP_ROW_OOM) {
		err_oom(&oom);
		f->fn(NULL, &oom, f->arg);
		return;
	}
	if (has_reply) {
		entry.is_known = rc == 0;
		if (kept)
			*kept = entry;
	} else if (kept && is_of(kept, f->digest)) {
		entry = *kept; /* without Redis no mail is accepted, so an old result is safe */
	} else {
		f->fn(NULL, result->why, f->arg);
		return;
	}
	give_entry(&entry, f->fn, f->arg);
}

void keys_find(struct redis *redis, const char *text, size_t len, key_fn *fn, void *arg)
{
	struct cache *cache = redis_part(redis, &cache_kind);
	struct find f = {.redis = redis, .fn = fn, .arg = arg};
	char hex[DIGEST * 2 + 1];
	struct command c = {0};
	struct entry *kept;

	sha256(text, len, f.digest);
	kept = cache ? slot_of(cache, f.digest) : NULL;
	/* A Redis that refuses mail still knows which keys were revoked. */
	if (kept &&
	    (kept->until_ms > clock_mono_ms() ||
	     !redis_partition_is_connected(redis, REDIS_GLOBAL)) &&
	    is_of(kept, f.digest)) {
		struct entry copy = *kept;

		give_entry(&copy, fn, arg);
		return;
	}
	hex_encode(f.digest, DIGEST, hex);
	script_key_find(&c, REDIS_GLOBAL, &(struct script_key_find){.hash = hex});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_found, f));
}

/* ---- make and revoke ---- */

struct make {
	char text[KEY_TEXT_MAX];
	key_created_fn *fn;
	void *arg;
};

static int read_made(const struct call_result *result, struct key *key, struct err *e)
{
	if (result->end != CALL_ANSWERED) {
		*e = *result->why;
		return -1;
	}
	if (resp_is_number(result->reply))
		return err_set(e, ERR_REFUSED, "a project has at most %d keys", KEYS_MAX);
	if (resp_len(result->reply) == 0)
		return err_set(e, ERR_NOT_FOUND, "no such project");
	if (read_key(result->reply, key) < 0)
		return err_set(e, ERR_INTERNAL, "the record of the key is damaged");
	return 0;
}

static void on_made(const struct call_result *result, void *context)
{
	struct make *m = context;
	struct key key;
	struct err e;

	if (read_made(result, &key, &e) < 0)
		m->fn(NULL, NULL, &e, m->arg);
	else
		m->fn(&key, m->text, NULL, m->arg);
	explicit_bzero(m->text, sizeof(m->text));
}

void keys_write_text(bool is_test, const unsigned char random[KEY_RANDOM], char text[KEY_TEXT_MAX])
{
	snprintf(text, KEY_TEXT_MAX, "pn_%s_", is_test ? "test" : "live");
	id_write(text + 8, random, KEY_RANDOM); /* 200 bits */
}

static void set_text(const struct key_draft *draft, char text[KEY_TEXT_MAX])
{
	unsigned char random[KEY_RANDOM];

	if (draft->text) {
		snprintf(text, KEY_TEXT_MAX, "%s", draft->text);
		return;
	}
	random_bytes(random, sizeof(random));
	keys_write_text(draft->is_test, random, text);
	explicit_bzero(random, sizeof(random));
}

void keys_create(struct redis *redis, const struct key_draft *draft, key_created_fn *fn, void *arg)
{
	struct make m = {.fn = fn, .arg = arg};
	unsigned char digest[DIGEST];
	char hex[DIGEST * 2 + 1];
	struct id id = id_make("key", 0);
	struct command c = {0};

	set_text(draft, m.text);
	sha256(m.text, strlen(m.text), digest);
	hex_encode(digest, DIGEST, hex);
	script_key_make(&c, REDIS_GLOBAL,
			&(struct script_key_make){
				.project = draft->project,
				.id = draft->id ? draft->id : id.text,
				.hash = hex,
				.name = draft->name,
				.mode = draft->is_test ? "test" : "live",
				.scopes = draft->scopes,
				.most = KEYS_MAX,
			});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_made, m));
	explicit_bzero(m.text, sizeof(m.text));
}

struct key_done {
	key_done_fn *fn;
	void *arg;
};

static void on_revoked(const struct call_result *result, void *context)
{
	const struct key_done *d = context;
	struct err why;

	err_set(&why, ERR_NOT_FOUND, "no such key");
	if (result->end != CALL_ANSWERED)
		why = *result->why;
	d->fn(resp_number(result->reply) ? NULL : &why, d->arg);
}

void keys_revoke(struct redis *redis, const struct keys_of *of, const char *id, key_done_fn *fn,
		 void *arg)
{
	struct key_done d = {fn, arg};
	struct command c = {0};

	script_key_revoke(
		&c, REDIS_GLOBAL,
		&(struct script_key_revoke){.id = id, .project = of->project, .mode = of->mode});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_revoked, d));
}

/* ---- lists ---- */

struct keys_listing {
	keys_fn *fn;
	void *arg;
};

/* Sorted by id, as pages are. Two keys of the same ms may come in either order. */
static int newest_key_first(const void *a, const void *b)
{
	return strcmp(((const struct key *)b)->id, ((const struct key *)a)->id);
}

static int read_key_row(const struct resp *array, size_t at, void *out, void *context)
{
	(void)context;
	return read_key(resp_item(array, at), out);
}

static void on_keys(const struct call_result *result, void *context)
{
	static const struct resp_shape shape = {0, 1, sizeof(struct key), read_key_row, NULL};
	const struct keys_listing *l = context;
	struct resp_rows rows;
	struct err e;

	if (result->end == CALL_ANSWERED && resp_is_text(result->reply)) {
		err_set(&e, ERR_NOT_FOUND, "no such project");
		l->fn(NULL, 0, &e, l->arg);
		return;
	}
	if (resp_read_result(result, &shape, NULL, &rows, &e) < 0) {
		l->fn(NULL, 0, &e, l->arg);
		return;
	}
	qsort(rows.list, rows.n, sizeof(struct key), newest_key_first);
	l->fn(rows.list, rows.n, NULL, l->arg);
	free(rows.list);
}

void keys_list(struct redis *redis, const struct keys_of *of, keys_fn *fn, void *arg)
{
	struct keys_listing l = {fn, arg};
	struct command c = {0};

	script_key_list(&c, REDIS_GLOBAL,
			&(struct script_key_list){.project = of->project, .mode = of->mode});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_keys, l));
}

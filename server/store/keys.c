/* Projects and API keys: looked up by hash, remembered for a second. */
#include "server/store/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "server/base/clock.h"
#include "server/base/hex.h"
#include "server/base/id.h"
#include "server/store/call.h"
#include "server/store/store.h"

#define REMEMBER_MS 1000
#define CACHE_SLOTS 1024
#define LIMIT_MS 3000
#define DIGEST 32
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

static void *cache_new(struct store *s)
{
	(void)s;
	return calloc(1, sizeof(struct cache));
}

static const struct store_part_kind cache_kind = {.make = cache_new, .free_fn = free};

static void digest_of(const char *text, size_t len, unsigned char out[DIGEST])
{
	if (EVP_Digest(text, len, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

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
	json_decref(root);
	return *key->project && *key->id ? 0 : -1;
}

/* ---- find ---- */

struct find {
	struct store *store;
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
	struct cache *cache = store_part(f->store, PART_KEYS, &cache_kind);
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

void keys_find(struct store *s, const char *text, size_t len, key_fn *fn, void *arg)
{
	struct cache *cache = store_part(s, PART_KEYS, &cache_kind);
	unsigned char digest[DIGEST];
	char hex[DIGEST * 2 + 1];
	struct command c = {0};
	struct entry *kept;
	struct find *f = calloc(1, sizeof(*f));

	if (!cache || !f)
		abort();
	digest_of(text, len, digest);
	kept = slot_of(cache, digest);
	if ((kept->until_ms > clock_mono_ms() || (kept->until_ms && !store_is_ready(s, NULL))) &&
	    CRYPTO_memcmp(kept->digest, digest, DIGEST) == 0) {
		struct entry copy = *kept;

		free(f);
		tell(&copy, fn, arg);
		return;
	}
	f->store = s;
	f->fn = fn;
	f->arg = arg;
	memcpy(f->digest, digest, DIGEST);
	hex_encode(digest, DIGEST, hex);
	command_start(&c, "HGET");
	command_key(&c, STORE_GLOBAL, "keys");
	command_str(&c, hex);
	store_call(s, &c, 1, LIMIT_MS, on_found, f);
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

void keys_import(struct store *s, const char *project, const char *name, unsigned scopes,
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
	digest_of(text, strlen(text), digest);
	hex_encode(digest, DIGEST, hex);
	command_script(&c, SCRIPT_KEY, STORE_GLOBAL);
	command_str(&c, "make");
	command_str(&c, project);
	command_str(&c, id_make("key", 0).text);
	command_str(&c, hex);
	command_str(&c, name);
	command_str(&c, is_test ? "test" : "live");
	command_num(&c, scopes);
	store_call(s, &c, 1, LIMIT_MS, on_made, m);
}

void keys_create(struct store *s, const char *project, const char *name, unsigned scopes,
		 bool is_test, key_created_fn *fn, void *arg)
{
	char text[KEY_TEXT_MAX];

	snprintf(text, sizeof(text), "pn_%s_", is_test ? "test" : "live");
	id_random(text + 8, SECRET_LEN); /* 200 bits */
	keys_import(s, project, name, scopes, is_test, text, fn, arg);
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

static void call_done(struct store *s, struct command *c, const struct err *refusal,
		      key_done_fn *fn, void *arg)
{
	struct make *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->refusal = *refusal;
	m->done = fn;
	m->arg = arg;
	store_call(s, c, 1, LIMIT_MS, on_done, m);
}

void keys_revoke(struct store *s, const char *id, key_done_fn *fn, void *arg)
{
	struct command c = {0};

	command_script(&c, SCRIPT_KEY, STORE_GLOBAL);
	command_str(&c, "revoke");
	command_str(&c, id);
	call_done(s, &c, &(struct err){ERR_NOT_FOUND, "there is no such key"}, fn, arg);
}

void projects_create(struct store *s, const char *name, key_done_fn *fn, void *arg)
{
	struct command c = {0};

	command_script(&c, SCRIPT_PROJECT, STORE_GLOBAL);
	command_str(&c, id_make("prj", 0).text);
	command_str(&c, name);
	call_done(s, &c, &(struct err){ERR_INPUT, "the name is taken"}, fn, arg);
}

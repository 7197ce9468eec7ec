#ifndef SERVER_STORE_PROJECTS_KEYS_H
#define SERVER_STORE_PROJECTS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/store/projects/quota.h"
#include "server/store/projects/tenant.h"

struct redis;

/* The API keys of projects. A key is shown once; the store has only its SHA-256. */

/* SCOPE_ROOT: only of the root key in the configuration, which is not in the store. */
enum key_scope { SCOPE_SEND = 1, SCOPE_READ = 2, SCOPE_MANAGE = 4, SCOPE_ROOT = 8 };
#define KEYS_MAX 1000   /* a project */
#define KEY_TEXT_MAX 80 /* "pn_live_" or "pn_test_" and 40 characters */

struct key {
	char id[31];             /* key_... */
	char tenant[TENANT_MAX]; /* the tenant that it gives access to; used in Redis keys */
	char project_id[31];     /* prj_...: in the API */
	bool is_test;
	unsigned scopes;
	char name[101];
	int64_t created_ms; /* 0: not known */
	struct quota quota; /* settings of the project; only keys_find() fills it */
};

/* key NULL: no such key, or it was revoked (ERR_NOT_FOUND); ERR_RETRY; ERR_INTERNAL. Borrowed for
 * the callback. */
typedef void key_fn(const struct key *key, const struct err *why, void *arg);

/* Finds a key by its text. Results are cached for 1 s, unknown keys too, so a revoked key is
 * refused everywhere after 1 s. fn may fire before this function returns. */
void keys_find(struct redis *redis, const char *text, size_t len, key_fn *fn, void *arg);

struct key_draft {
	const char *project; /* name or prj_ id */
	const char *name;
	unsigned scopes;
	bool is_test;
	const char *id;   /* NULL: a new one */
	const char *text; /* the key itself. NULL: a random one */
};

#define KEY_RANDOM 40
/* The text of a key from secret octets. */
void keys_write_text(bool is_test, const unsigned char random[KEY_RANDOM], char text[KEY_TEXT_MAX]);

/* Makes a key, unless one with this text exists. The text is available only in this callback.
 * ERR_NOT_FOUND: no such project; ERR_REFUSED: it has KEYS_MAX. */
typedef void key_created_fn(const struct key *key, const char *text, const struct err *why,
			    void *arg);
void keys_create(struct redis *redis, const struct key_draft *draft, key_created_fn *fn, void *arg);
struct keys_of {
	const char *project; /* name or prj_ id; NULL: any (keys_revoke only) */
	const char *mode;    /* "live" or "test"; NULL: both */
};
/* why NULL: done. ERR_NOT_FOUND, ERR_RETRY. id: key_... */
typedef void key_done_fn(const struct err *why, void *arg);
void keys_revoke(struct redis *redis, const struct keys_of *of, const char *id, key_done_fn *fn,
		 void *arg);
/* Newest first; borrowed for the callback. list NULL: why is set. ERR_NOT_FOUND: no such project.
 */
typedef void keys_fn(const struct key *list, size_t n, const struct err *why, void *arg);
void keys_list(struct redis *redis, const struct keys_of *of, keys_fn *fn, void *arg);

#endif

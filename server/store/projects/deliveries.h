#ifndef SERVER_STORE_PROJECTS_DELIVERIES_H
#define SERVER_STORE_PROJECTS_DELIVERIES_H

#include "server/redis/command.h"
#include "server/store/projects/endpoints.h"
#include "server/store/messages/event_log.h"

struct store;

/* The delivering process's side of webhooks: lua/endpoint.lua has the keys. */

/* ---- what there is ---- */

struct hooks_endpoint {
	struct endpoint endpoint; /* the callee may take it: then its json is NULL afterwards */
	char project_id[ID_LEN + 1];
	struct log_place *done; /* per partition: what lies up to here is done with */
	int64_t good_ms;        /* when something got through last; 0: never */
	size_t n_retries;
};
/* list NULL and why NULL: nothing changed since `version`. */
typedef void hooks_load_fn(struct hooks_endpoint *list, size_t n, int64_t version,
			   const struct err *why, void *arg);
void hooks_load(struct store *s, int64_t version, hooks_load_fn *fn, void *arg);

/* Which of these projects have something in their log behind a place? Calls fn once for each, then
 * once with project NULL. */
struct hooks_tip {
	char project[12];
	struct log_place at;
};
typedef void hooks_news_fn(const char *project, void *arg);
void hooks_look(struct store *s, unsigned partition, const struct hooks_tip *tips, size_t n,
		hooks_news_fn *fn, void *arg);

/* Retries of an endpoint that are due: members as hooks_again wrote them. */
typedef void hooks_due_fn(const char *const *members, size_t n, void *arg);
void hooks_due(struct store *s, const char *id, int64_t now_ms, size_t max, hooks_due_fn *fn,
	       void *arg);

/* Test deliveries asked for: "<whk_ id> <evt_ id> <prj_ id>"; takes them off their list. */
void hooks_tests(struct store *s, hooks_due_fn *fn, void *arg);

/* ---- what was done, in one step (lua/hook.lua) ---- */

struct hooks_batch {
	struct command words; /* zeroed: empty */
	size_t n;
};
void hooks_cursor(struct hooks_batch *b, const char *id, unsigned partition,
		  const struct log_place *at);
void hooks_again(struct hooks_batch *b, const char *id, int64_t due_ms, const char *member);
/* seen_ms: the time that hooks_due was asked with. */
void hooks_over(struct hooks_batch *b, const char *id, const char *member, int64_t seen_ms);
/* over, and so is all that waits for the same event. */
void hooks_told(struct hooks_batch *b, const char *id, const char *member, int64_t seen_ms);
void hooks_soon(struct hooks_batch *b, const char *id, int64_t ms);
void hooks_log(struct hooks_batch *b, const char *id, const char *json, bool has_failed);
void hooks_tested(struct hooks_batch *b, const char *id, const char *event_id, const char *json);
void hooks_lost(struct hooks_batch *b, const char *id, int64_t from_ms, int64_t until_ms);
void hooks_disable(struct hooks_batch *b, const char *id, const char *reason);

/* Commits the batch and takes or renews the lease that makes `owner` the one process that delivers
 * (lease_ms 0 gives it up); empties the batch. Runs until there is an answer. is_ours false:
 * another process has the lease, and nothing was done. */
typedef void hooks_commit_fn(bool is_ours, void *arg);
void hooks_commit(struct store *s, const char *owner, int64_t lease_ms, struct hooks_batch *take,
		  hooks_commit_fn *fn, void *arg);

#endif

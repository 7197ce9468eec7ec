#ifndef SERVER_STORE_PROJECTS_DELIVERIES_H
#define SERVER_STORE_PROJECTS_DELIVERIES_H

#include "server/redis/link/command.h"
#include "server/store/projects/endpoints.h"
#include "server/store/messages/event_log_place.h"

struct redis;

/* Webhooks in the store, for the process that delivers them. lua/lib/keys.txt lists the keys. Each
 * fn fires after the call has returned, within 5 s, except that of deliveries_commit. */

/* ---- reading ---- */

struct deliveries_endpoint {
	struct endpoint endpoint; /* the callback may take it: it then clears the struct */
	char project_id[ID_LEN + 1];
	struct event_log_place start; /* the same for partitions that are added later */
	struct event_log_place *done; /* for each partition: the last entry that is delivered */
	unsigned n_partitions;
	int64_t good_ms; /* the last success; 0: never */
	size_t n_retries;
};
/* Loads all endpoints. list NULL and why NULL: nothing has changed since `version`. */
typedef void deliveries_load_fn(struct deliveries_endpoint *list, size_t n, int64_t version,
				const struct err *why, void *arg);
/* version: as the last load gave it. list is borrowed for the callback. */
void deliveries_load(struct redis *redis, int64_t version, deliveries_load_fn *fn, void *arg);

/* Finds the projects in list whose log has entries after the reader's position. Calls fn once for
 * each, then once with project NULL. */
struct deliveries_read_position {
	char project[12];
	struct event_log_place at;
};
typedef void deliveries_news_fn(const char *project, void *arg);
void deliveries_look(struct redis *redis, unsigned partition,
		     const struct deliveries_read_position *list, size_t n, deliveries_news_fn *fn,
		     void *arg);

/* Reads the retries of an endpoint that are due: members as deliveries_put_retry wrote them. */
typedef void deliveries_due_fn(const char *const *members, size_t n, void *arg);
/* The first `max` of them, earliest first. n is 0 also after an error. */
void deliveries_due(struct redis *redis, const char *id, int64_t now_ms, size_t max,
		    deliveries_due_fn *fn, void *arg);

/* Takes the requested test deliveries off their list: "<whk_ id> <evt_ id> <prj_ id>". */
void deliveries_tests(struct redis *redis, deliveries_due_fn *fn, void *arg);

/* ---- writing: a batch of changes, in one step (lua/webhooks/deliveries_report.lua) ---- */

struct deliveries_batch {
	struct command words; /* zeroed: empty */
	size_t n;
};
/* The position in the partition's log: all events before it are delivered or wait for another try.
 */
void deliveries_cursor(struct deliveries_batch *b, const char *id, unsigned partition,
		       const struct event_log_place *at);
/* Tries the member again at due_ms (real time). Replaces an earlier time of the same member. */
void deliveries_put_retry(struct deliveries_batch *b, const char *id, int64_t due_ms,
			  const char *member);
/* The member needs no more tries. seen_ms: now_ms of the deliveries_due call that returned it. */
void deliveries_remove_retry(struct deliveries_batch *b, const char *id, const char *member,
			     int64_t seen_ms);
/* The event was delivered: as deliveries_remove_retry, and all other retries of the same
 * event are removed. */
void deliveries_remove_delivered(struct deliveries_batch *b, const char *id, const char *member,
				 int64_t seen_ms);
/* Retries that are due after ms and have at most 3 tries so far become due from ms on, 20 ms apart;
 * at most 1000 of them. */
void deliveries_soon(struct deliveries_batch *b, const char *id, int64_t ms);
/* Adds a delivery to the endpoint's list; the last 100 are kept, of failed ones another 100. */
void deliveries_log(struct deliveries_batch *b, const char *id, const char *json, bool has_failed);
/* The outcome of a test delivery, for the request that waits for it. */
void deliveries_tested(struct deliveries_batch *b, const char *id, const char *event_id,
		       const char *json);
/* The test was not posted: ENDPOINT_TESTS_REFUSAL. */
void deliveries_refuse_test(struct deliveries_batch *b, const char *id, const char *event_id);
/* The retention removed events of this period before their delivery. The endpoint keeps the whole
 * period from the first loss to the last. */
void deliveries_lost(struct deliveries_batch *b, const char *id, int64_t from_ms, int64_t until_ms);
/* reason: as GET shows it. The endpoint keeps its cursor and its retries. */
void deliveries_disable(struct deliveries_batch *b, const char *id, const char *reason);

/* Commits the batch and empties it. Also takes or renews the lease: only its owner delivers
 * (lease_ms 0 releases it). No time limit. is_ours false: another process has the lease, and
 * nothing was written. */
typedef void deliveries_commit_fn(bool is_ours, void *arg);
void deliveries_commit(struct redis *redis, const char *owner, int64_t lease_ms,
		       struct deliveries_batch *take, deliveries_commit_fn *fn, void *arg);

#endif

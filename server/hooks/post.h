#ifndef SERVER_HOOKS_POST_H
#define SERVER_HOOKS_POST_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "server/base/id.h"
#include "server/events/event.h"
#include "server/fetch/fetch.h"

/* One event for one endpoint, and the signed POST that carries it. outcome.h decides what the
 * result means. */

struct entry;
struct post;

enum post_outcome {
	POST_DELIVERED, /* 2xx */
	POST_GONE,      /* 410 */
	POST_FAILED,    /* another status, or no response */
};

/* response is borrowed for the call. Fires exactly once, never inside post_send, and may free the
 * post. Does not fire if the HTTP client is closed first. */
typedef void post_fn(struct post *p, enum post_outcome outcome,
		     const struct fetch_response *response, void *arg);

struct post {
	struct post *next;   /* of the list that its target keeps it in */
	struct entry *entry; /* of the log; NULL: a retry, or a test */
	unsigned partition;
	unsigned tries;            /* before this one */
	char message[ID_LEN + 1];  /* "" for a test */
	unsigned sequence;         /* of the event within its message */
	char id[EVENT_ID_LEN + 1]; /* evt_... */
	char type[32];
	char *body;    /* JSON */
	int64_t at_ms; /* when the event happened */
	bool is_retry, is_test;
	post_fn *fn;
	void *arg;
};

/* Posts in order. */
struct post_list {
	struct post *first, **last;
	size_t n;
};
void post_list_init(struct post_list *list);
/* Frees the posts. The list is empty then. */
void post_list_drop(struct post_list *list);
/* Adds one or more linked posts. */
void post_list_add(struct post_list *list, struct post *take_posts);

struct post_about {
	const char *message, *project_id;
	const char *cursor; /* NULL: the event is shown without one */
};
/* A post of an event of a record. NULL: out of memory, or the record's facts are damaged. */
struct post *post_new(const struct post_about *about, const struct record *record,
		      const struct record_event *event);
/* A post of type webhook.test. NULL: out of memory. */
struct post *post_new_test(const char *event_id, const char *project_id, bool is_test_mode);
void post_free(struct post *p);

struct post_target {
	const char *url;
	const char *secrets[2]; /* whsec_...; each signs; NULL: none */
};
/* -1: out of memory, or a secret is damaged; nothing was sent. */
int post_send(struct post *p, struct fetch *fetch, const struct post_target *to, post_fn *fn,
	      void *arg);

/* A delivery as JSON for the API (webhook_deliveries.c). The caller owns it. next_ms: time of the
 * next try; 0: none. NULL: out of memory. */
json_t *post_delivery_json(const struct post *p, const struct fetch_response *response,
			   int64_t next_ms);

#endif

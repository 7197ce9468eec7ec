#ifndef SERVER_REDIS_LINK_SENTINEL_H
#define SERVER_REDIS_LINK_SENTINEL_H

struct loop;
struct redis_host;
struct redis_url;
struct tls_context;

/* Asks the sentinels of a URL where the master is, in turn, first the one that named it last. Each
 * gets a connection of its own, at most 1 s to connect and 1 s to reply. A sentinel that wants a
 * password gets the credentials of the URL. */

struct sentinel;

/* Exactly one of both fires for each question. */
struct sentinel_events {
	void (*on_master)(const struct redis_host *master, void *arg);
	/* why: the reply of each sentinel, or why there was none. */
	void (*on_failed)(const char *why, void *arg);
	void *arg;
};

/* url and tls are borrowed. NULL: out of memory. */
struct sentinel *sentinel_new(struct loop *loop, const struct redis_url *url,
			      struct tls_context *tls, const struct sentinel_events *events);
/* While a question is open, this does nothing: its result counts. No callback fires within it. */
void sentinel_ask(struct sentinel *s);
/* The master that was named is not usable: the next question goes to the next sentinel first. */
void sentinel_distrust(struct sentinel *s);
/* No callback fires. NULL does nothing. Not within a callback. */
void sentinel_free(struct sentinel *s);

#endif

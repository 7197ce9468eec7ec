#ifndef API_HTTP_ENGINE_H
#define API_HTTP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#include "api/http/request.h"
#include "api/http/server.h"
#include "api/http/shares.h"
#include "server/base/loop.h"

/* The state of the server, which the files of this folder share, and libmicrohttpd in our loop. For
 * this folder only. */

struct peer;
struct lingering;
struct listener;
struct room;

struct http_server {
	const struct api *api;
	const struct routes *routes;
	struct http_limits limits;
	struct MHD_Daemon *daemon;
	int guard_fd; /* epoll of guard.c; -1: none */
	int tls_fd;   /* epoll of tls.c; -1: none */
	struct loop_fd tls_poll;
	struct peer *watched;    /* of tls.c */
	struct loop_fd poll;     /* MHD's epoll */
	struct loop_post wake;   /* a request was resumed in this turn: run MHD once */
	struct loop_timer again; /* MHD has work left: run it in the next turn */
	struct loop_timer work;  /* runs the handlers of `waiting` */
	struct request *waiting, **last_waiting;
	struct shares shares;
	struct loop_timer tick;
	struct peer *peers;
	size_t n_peers;
	struct room *room; /* of room.c */
	size_t connections_max;
	size_t connections_per_address;
	struct request *requests;
	size_t body_bytes;     /* held in bodies now */
	size_t response_bytes; /* held in responses now */
	struct listener *listeners;
	size_t n_listeners;
	struct lingering *lingering;
	size_t n_lingering;
	bool is_tls;
	bool is_draining;
	bool is_stopping;
	struct loop_timer drain_timer, idle_timer;
	struct loop_post drained_post;
	void (*drained)(void *);
	void *drained_arg;
	char id_prefix[15]; /* of the request ids of this process */
	uint64_t id_count;
};

/* Runs MHD now while it has work, but only a few rounds. */
void engine_run(struct http_server *s);
/* Runs MHD at the end of this loop turn. */
void engine_wake(struct http_server *s);
/* Call when a connection ends: after the last one of a server that drains, posts `drained`. */
void engine_check_drained(struct http_server *s);

/* A new id for a request. */
#define ENGINE_ID_MAX 40
void engine_new_id(struct http_server *s, char id[ENGINE_ID_MAX]);

/* 0 or -1 (out of memory). Watches the epoll of s->daemon. */
int engine_init(struct http_server *s);
void engine_deinit(struct http_server *s);

#endif

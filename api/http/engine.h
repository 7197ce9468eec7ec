#ifndef API_HTTP_ENGINE_H
#define API_HTTP_ENGINE_H

#include <netinet/in.h>

#include <microhttpd.h>

#include "api/http/request.h"
#include "api/http/router.h"
#include "api/http/uri.h"
#include "server/base/buf.h"
#include "server/base/loop.h"

/* What the files of this folder know of each other; nobody else includes this.
 *
 *	accept.c    listening sockets -> struct connection
 *	server.c    the libmicrohttpd daemon in our loop
 *	exchange.c  one request from its head to its answer
 *	head.c      is this head one that every reader takes the same way?
 *	sweep.c     who is too slow
 *	drain.c     how the server ends
 *	linger.c    closing so that the last answer arrives */

/* How long a peer may take. Tests shorten them. */
struct http_limits {
	int64_t tick_ms;  /* between two looks */
	int64_t fresh_ms; /* from connect to the first request line */
	int64_t idle_ms;  /* between two requests */
	int64_t head_ms;  /* from request line to the end of the head */
	int64_t body_ms;  /* head and body; plus 1 s for each body_rate octets */
	int64_t send_ms;  /* the answer; plus 1 s for each body_rate octets */
	int64_t body_rate;
	int64_t linger_ms;
	int64_t back_off_ms; /* after accept ran out of descriptors */
};

enum connection_phase {
	CONNECTION_FRESH,
	CONNECTION_IDLE,
	CONNECTION_HEAD,
	CONNECTION_BODY,
	CONNECTION_WORK, /* with a handler: no limit here, the store has them */
	CONNECTION_SENDING,
	CONNECTION_DOOMED, /* shut down by us, waiting for MHD to see it */
};

struct connection {
	struct http_server *server;
	struct connection *prev, *next;
	int fd;
	enum connection_phase phase;
	int64_t since_ms;   /* phase began; for BODY: the request began */
	uint64_t bytes;     /* of the body so far, or of the answer */
	bool is_left_early; /* answered before the body was read: linger */
};

enum request_step {
	STEP_HEAD,      /* nothing looked at yet */
	STEP_AUTHORISE, /* the key is being looked up, or was */
	STEP_BODY,      /* the body comes in */
	STEP_WAIT,      /* for its handler's turn */
	STEP_WORK,      /* with the handler */
	STEP_SENT,
};

struct request {
	struct http_server *server; /* NULL: stopped; nobody waits for the answer any more */
	const struct api *api;
	struct request *prev, *next; /* of the server's open requests */
	struct request *after;       /* while STEP_WAIT: the one whose turn comes then */
	struct MHD_Connection *mhd;
	struct connection *connection;
	enum request_step step;
	bool is_suspended;
	bool is_admitted; /* the key is good */
	bool is_answered;
	bool is_http_1_0;
	bool is_encoded; /* a Content-Encoding that is not identity */
	bool has_body;
	bool must_close; /* the framing cannot be trusted */
	int64_t began_us;
	int64_t answered_us;
	uint64_t content_length; /* UINT64_MAX: chunked */
	uint64_t received;
	const struct route_entry *route;
	struct router_match match;
	struct uri uri;
	char method[16];
	char id[129];
	struct key key;
	struct buf body;
	void *state;
	void (*free_state)(void *);

	/* The answer. */
	unsigned status;
	char *text; /* malloc */
	size_t text_len;
	struct buf headers; /* name NUL value NUL ... */

	size_t target_len;
	char target[]; /* as received, then URI_SCRATCH for uri */
};

struct listener;
struct lingering;

struct http_server {
	const struct api *api;
	struct MHD_Daemon *daemon;
	struct loop_fd poll;   /* MHD's epoll */
	struct loop_post post; /* resumed in this turn: run MHD once */
	struct loop_timer again;
	struct loop_timer work; /* those that wait for their handlers have their turn */
	struct request *waiting, **last_waiting;
	struct loop_timer tick;
	struct http_limits limits;
	struct connection *connections;
	size_t n_connections;
	struct request *requests;
	size_t body_bytes; /* held in bodies now */
	struct listener *listeners;
	size_t n_listeners;
	struct lingering *lingering;
	size_t n_lingering;
	bool is_tls;
	bool is_draining;
	bool is_stopping;
	struct loop_timer drain_timer, rest_timer;
	struct loop_post drained_post;
	void (*drained)(void *);
	void *drained_arg;
	char id_prefix[15]; /* of request ids made here */
	uint64_t id_count;
};

/* All bodies of a process together; above it new ones get 503. */
#define BODY_TOTAL_MAX ((size_t)256 << 20)
/* A body that nobody asked for. */
#define BODY_UNWANTED_MAX ((uint64_t)64 << 10)

/* server.c */
void server_wake(struct http_server *s); /* MHD_run at the end of this turn */
void server_run(struct http_server *s);
void server_limit(struct http_server *s, const struct http_limits *limits);

/* drain.c */
int drain_init(struct http_server *s);
void drain_check(struct http_server *s); /* a connection went: was it the last one? */

/* accept.c */
int accept_start(struct http_server *s, const int *fds, size_t n, struct err *e);
void accept_stop(struct http_server *s);

/* request.c */
struct request *request_new(struct http_server *s, const char *target);
void request_leave(struct request *r); /* the server and its connection; may go on without */
void request_free(struct request *r);

/* exchange.c */
enum MHD_Result exchange_step(struct request *r, const char *url, const char *method,
			      const char *version);
enum MHD_Result exchange_body(struct request *r, const char *bytes, size_t len);
void exchange_work(void *server);
void exchange_end(struct request *r); /* MHD is done with it */

/* auth.c: decides now or later; then is_admitted or is_answered, and exchange_resume. */
void auth_check(struct request *r);
void exchange_resume(struct request *r);

/* head.c: false when the head was refused (it is answered then). Sets what follows from headers. */
bool head_check(struct request *r, const char *url, const char *method, const char *version);
/* application/json, with no charset but utf-8 */
bool head_is_json(const char *content_type);

/* The JSON on one line, with its end: what `curl` prints should not run into the prompt. To be
 * freed; NULL when memory ran out or body is NULL. */
char *answer_line(const json_t *body);

/* answer.c */
/* text: malloc, NULL when there was no memory for it. */
void answer_deliver(struct request *r, unsigned status, const char *content_type, char *take_text,
		    size_t len);
enum MHD_Result answer_send(struct request *r);

/* problem.c: the body of a problem, malloc; NULL: out of memory. */
unsigned problem_status(enum problem problem);
const char *problem_title(enum problem problem);
char *problem_text(enum problem problem, const char *id, const char *detail, json_t *take_errors,
		   size_t *len);

/* sweep.c */
void sweep(void *server);
/* Closes from outside of MHD, with a last answer when the peer is owed one. */
void sweep_close(struct connection *c);

/* linger.c: takes fd, says goodbye and reads until the peer has closed too. */
void linger_take(struct http_server *s, int fd);
void linger_free_all(struct http_server *s);
/* Writes a whole answer past MHD; on plain TCP only, and only when MHD has nothing to write. */
void linger_last_words(const struct http_server *s, int fd, enum problem problem, const char *id,
		       const char *detail);

/* tls.c: PEM texts, malloc and NUL-terminated; both NULL without a certificate. */
int tls_load(const struct config *config, char **cert, char **key, struct err *e);
void tls_wipe(char *key);

#endif

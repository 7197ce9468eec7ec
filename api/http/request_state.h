#ifndef API_HTTP_REQUEST_STATE_H
#define API_HTTP_REQUEST_STATE_H

#include "api/http/response.h"
#include "api/http/peer.h"
#include "api/http/engine.h"
#include "api/http/request.h"
#include "api/wire/router.h"
#include "api/wire/uri.h"
#include "server/base/buf.h"

/* The fields of a request, for the files of this folder. request.c creates, suspends and frees it;
 * exchange.c takes it from the head to the response. */

enum request_step {
	STEP_HEAD,      /* nothing checked yet */
	STEP_AUTHORISE, /* the key is being looked up, or was */
	STEP_BODY,      /* the body comes in */
	STEP_TURN,      /* large: waits for its turn (shares.h) */
	STEP_WAIT,      /* waits until its handler runs */
	STEP_WORK,      /* the handler runs, or will respond later */
	STEP_SENT,
};

struct request {
	struct http_server *server; /* NULL: client or server is gone, no response is needed */
	const struct api *api;
	struct request *prev, *next; /* of the server's open requests */
	struct request *after;       /* in STEP_WAIT: the next in the queue */
	struct turns_item turn;      /* in STEP_TURN */
	struct shares *shares;       /* where it is at work; NULL: it has no turn */
	struct request *next_working;
	size_t share_bytes;     /* what it counts while it is at work */
	int64_t share_since_ms; /* it waits for its turn since then */
	struct MHD_Connection *mhd;
	struct peer *peer;
	enum request_step step;
	bool is_suspended;
	bool is_admitted;  /* the key is valid */
	bool has_response; /* it waits for response_release, or is_response_ready */
	bool is_response_ready;
	bool is_http_1_0;
	bool is_encoded; /* a Content-Encoding that is not identity */
	bool has_body;
	bool must_close; /* the framing cannot be trusted */
	int64_t began_us;
	int64_t responded_us;
	uint64_t content_length; /* UINT64_MAX: chunked */
	uint64_t received;
	const struct route *route;
	struct router_match match;
	struct uri uri;
	char method[16];
	char id[129];
	struct key key;
	struct buf body;
	void *state;
	void (*free_state)(void *);

	/* The response. */
	unsigned status;
	const char *problem; /* slug; NULL = none */
	char *text;          /* malloc */
	size_t text_len;
	struct buf headers;     /* name NUL value NUL ... */
	response_hold_fn *hold; /* NULL: the response goes out at once */
	void *hold_arg;

	size_t target_len;
	char target[]; /* as received, then URI_SCRATCH for uri */
};

/* NULL: out of memory. */
struct request *request_new(struct http_server *s, const char *target);
/* Detaches it from the server and its connection; a lookup or a handler may still use it. */
void request_leave(struct request *r);
void request_free(struct request *r);

/* Frees the body, which nobody needs any more. */
void request_free_body(struct request *r);
/* Stops reading and sending until request_resume. */
void request_suspend(struct request *r);
/* Continues in this loop turn. Frees a request whose client is gone. */
void request_resume(struct request *r);
/* MHD must not be stopped while a connection is suspended. */
void request_resume_all(struct http_server *s);

#endif

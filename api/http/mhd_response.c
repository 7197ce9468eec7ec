/* Hands a collected response to libmicrohttpd. */
#include "api/http/mhd_response.h"

#include <string.h>

#include "api/http/guard.h"
#include "server/base/log.h"

/* Chunks that MHD may have read less strictly than we do: where the body ends is not certain, so no
 * other request may follow it. */
static bool has_unseen_chunks(const struct request *r)
{
	return r->content_length == UINT64_MAX && !guard_saw_end(r->peer);
}

static void add_headers(struct request *r, struct MHD_Response *response)
{
	const char *p = buf_text(&r->headers), *end = p + r->headers.len;

	while (p < end) {
		const char *value = p + strlen(p) + 1;

		MHD_add_response_header(response, p, value);
		p = value + strlen(value) + 1;
	}
	MHD_add_response_header(response, "X-Request-Id", r->id);
	if (r->route && r->route->scope)
		MHD_add_response_header(response, "Cache-Control", "no-store");
	if (r->must_close || r->server->is_draining || has_unseen_chunks(r))
		MHD_add_response_header(response, "Connection", "close");
}

enum MHD_Result mhd_response_queue(struct request *r)
{
	enum MHD_Result queued;
	struct MHD_Response *response;

	if (r->headers.failed) {
		LOG(LOG_ERROR, "http.headers_too_long", LOG_S("request", r->id));
		return MHD_NO;
	}
	response = MHD_create_response_from_buffer(r->text_len, r->text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	r->text = NULL;
	/* The client may take minutes to read the response. */
	request_set_state(r, NULL, NULL);
	add_headers(r, response);
	r->step = STEP_SENT;
	r->peer->has_key = r->is_admitted && r->route->scope;
	peer_enter(r->peer, PEER_SENDING, r->responded_us / 1000);
	r->peer->bytes = r->text_len;
	queued = MHD_queue_response(r->mhd, r->status, response);
	MHD_destroy_response(response);
	return queued;
}

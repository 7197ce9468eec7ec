#ifndef API_SEND_SEND_H
#define API_SEND_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "server/config/config.h"
#include "server/base/err.h"
#include "server/mail/message.h"
#include "server/store/queue/accept.h"

/* The checked body of POST /v1/messages: an envelope, choices, and a struct message that lacks only
 * its Message-ID and its date. */

struct send_addresses {
	struct address *items;
	size_t n;
};

struct send_part {
	const char *filename, *content_type, *content_id;
	enum part_place place;
	unsigned char *bytes;
	size_t len;
};

struct send {
	struct message message;
	enum lane lane;
	bool has_lane;
	struct message_choices choices;
	int64_t within_ms;   /* deliver_within, or the default of the configuration */
	const char **emails; /* envelope recipients in order of appearance, no two equal */
	size_t n_emails;

	/* The memory that message and emails point into. */
	json_t *body;
	json_t *envelope; /* an object whose names are the recipients */
	struct address from;
	struct send_addresses to, cc, bcc, reply_to;
	struct send_part *parts;
	struct message_part *message_parts;
	struct message_header *headers;
	size_t n_parts, n_headers;
	json_t *tags, *metadata; /* of body; NULL: not given */
};

/* Checks body and fills in *s, which holds a reference to body. Call send_deinit also after a
 * failure. On ERR_INPUT *errors is the array for response_problem; the caller owns it. */
int send_read(struct send *s, json_t *body, const struct config *config, json_t **errors,
	      struct err *e);
void send_deinit(struct send *s);

/* The facts of the message, which never change after accept, as one line of JSON: from, to, cc,
 * bcc, reply_to, subject, lane, tags, metadata (only the given ones); internet_message_id,
 * size_bytes; durability and request_id, unless NULL. The store keeps each byte of it for days. */
struct send_extra {
	const char *internet_message_id;
	size_t size_bytes;
	const char *durability; /* NULL: fsync */
	const char *request_id; /* the client's own, or NULL */
};
void send_facts(const struct send *s, const struct send_extra *extra, struct buf *out);

/* The envelope recipients of facts (to, cc and bcc), as an object whose names are the recipients,
 * in order of appearance. A new reference; NULL: out of memory. */
json_t *send_envelope(const json_t *facts);

#endif

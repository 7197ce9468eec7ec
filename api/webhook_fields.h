#ifndef API_WEBHOOK_FIELDS_H
#define API_WEBHOOK_FIELDS_H

#include <jansson.h>
#include <stdbool.h>

#include "api/http/request.h"
#include "server/fetch/fetch_url.h"

/* The body of a request that creates or changes a webhook endpoint. A field that is not given is
 * NULL. */

struct webhook_fields {
	const struct config *config;
	char url_ascii[FETCH_URL_MAX + 1];
	const char *url; /* url_ascii: the host is in ASCII */
	const char *description;
	json_t *events;
	json_t *enabled;
};

/* fields is all zero. is_new: url is required. *body: the caller must decref it; the fields point
 * into it. Returns 0, or -1 after it responded. */
int webhook_fields_read(struct request *r, bool is_new, struct webhook_fields *fields,
			json_t **body);

#endif

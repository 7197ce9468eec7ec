#ifndef SERVER_FETCH_FETCH_URL_H
#define SERVER_FETCH_FETCH_URL_H

#include <stdbool.h>

#include "server/base/err.h"

#define FETCH_URL_MAX 2048

/* Checks the URL of a webhook: https to a host name or a public address, on port 443 or 8443,
 * without user or fragment. Refuses ambiguous forms (numbers as addresses, trailing dots) and names
 * of this machine or its network. allow_private also allows http, private addresses, local names
 * and any port. ERR_INPUT: a sentence that says what to change. fetch.h checks the address that a
 * name resolves to. */
int fetch_url_check(const char *url, bool allow_private, struct err *e);

/* Copies the URL, with an international host (https://bücher.example/) as A-labels (RFC 5890).
 * Other URLs stay as they are. url: UTF-8. ERR_INPUT: the host is no domain, or the copy is too
 * long. */
int fetch_url_to_ascii(const char *url, char out[FETCH_URL_MAX + 1], struct err *e);

#endif

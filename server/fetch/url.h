#ifndef SERVER_FETCH_URL_H
#define SERVER_FETCH_URL_H

#include <stdbool.h>

#include "server/base/err.h"

#define FETCH_URL_MAX 2048

/* May this be kept as a URL to post to? https to a named host or a public address, on port 443 or
 * 8443, without user, fragment or anything that readers could take in two ways (numbers for
 * addresses, trailing dots, names of this machine). allow_private: also http, private addresses,
 * local names and any port. ERR_INPUT: a sentence that says what to change. (Where a name leads is
 * looked at when the socket is made: fetch.h.) */
int fetch_url_check(const char *url, bool allow_private, struct err *e);

#endif

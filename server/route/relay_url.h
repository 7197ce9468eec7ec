#ifndef SERVER_ROUTE_RELAY_URL_H
#define SERVER_ROUTE_RELAY_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"

/* The smarthost that the operator named:
 *
 *	url      = scheme "://" [user ":" password "@"] host [":" port] ["/"]
 *	scheme   = "smtp" | "smtps"          ; any case; smtps is implicit TLS (RFC 8314)
 *	host     = name | IPv4 | "[" IPv6 "]"
 *
 * Default port: smtps 465; smtp 587 with a user (submission, RFC 6409), else 25.
 * User and password are percent-decoded and may not hold controls. The last "@" ends them, so that
 * a raw "@", ":" or "/" in a password needs no "%"; a raw "%" does ("%25"). */

#define RELAY_URL_USER_MAX 320
#define RELAY_URL_PASSWORD_MAX 512

struct relay_url {
	bool is_implicit_tls;
	bool has_user;
	bool is_address; /* host is a literal */
	uint16_t port;
	char host[254]; /* lower case, no brackets, no final dot */
	char user[RELAY_URL_USER_MAX + 1];
	char password[RELAY_URL_PASSWORD_MAX + 1];
};

/* ERR_INPUT with a sentence that names the fault, never the password. */
int relay_url_parse(const char *text, struct relay_url *out, struct err *e)
	__attribute__((warn_unused_result));
void relay_url_wipe(struct relay_url *u);

#endif

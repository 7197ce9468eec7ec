#ifndef SERVER_ROUTE_RELAY_URL_H
#define SERVER_ROUTE_RELAY_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"

/* Reads the URL of the relay (POSTERN_RELAY_URL):
 *
 *	url      = scheme "://" [user ":" password "@"] host [":" port] ["/"] ["?tls=" tls]
 *	scheme   = "smtp" | "smtps"          ; any case; smtps is implicit TLS (RFC 8314)
 *	host     = name | IPv4 | "[" IPv6 "]"
 *	tls      = "verified"                ; TLS; the certificate is valid for host
 *	         | "unverified"              ; TLS; any certificate
 *	         | "opportunistic"           ; TLS where offered; any certificate; not with smtps
 *
 * Default of tls: "verified" for smtps and for a URL with a user, because any other server at that
 * address would get the password. Else POSTERN_TLS_POLICY decides.
 *
 * Default port: 465 for smtps. For smtp it is 587 with a user (submission, RFC 6409), else 25.
 *
 * User and password are percent-decoded and must not hold control characters. The last "@" ends
 * them: a raw "@", ":" or "/" in a password needs no "%". A raw "%" is written "%25". */

#define RELAY_URL_USER_MAX 320
#define RELAY_URL_PASSWORD_MAX 512

enum relay_url_tls {
	RELAY_URL_TLS_POLICY, /* POSTERN_TLS_POLICY decides */
	RELAY_URL_TLS_VERIFIED,
	RELAY_URL_TLS_UNVERIFIED,
	RELAY_URL_TLS_OPPORTUNISTIC,
};

struct relay_url {
	enum relay_url_tls tls;
	bool is_implicit_tls;
	bool has_user;
	bool is_address; /* host is a literal */
	uint16_t port;
	char host[254]; /* lower case, no brackets, no final dot */
	char user[RELAY_URL_USER_MAX + 1];
	char password[RELAY_URL_PASSWORD_MAX + 1];
};

/* ERR_INPUT with a sentence that says what is wrong, without the password. */
int relay_url_parse(const char *text, struct relay_url *out, struct err *e)
	__attribute__((warn_unused_result));
void relay_url_wipe(struct relay_url *u);

#endif

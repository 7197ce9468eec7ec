#ifndef SERVER_MAIL_ADDRESS_H
#define SERVER_MAIL_ADDRESS_H

#include <stddef.h>

#include "server/base/err.h"

struct buf;

/* A mailbox, as the API accepts it: `user@example.com` or `Name <user@example.com>`. Deliberately
 * narrower than RFC 5322 3.4: comments, groups, folding, routes, quoted local parts, address
 * literals, ports and single-label domains are refused, each with a sentence that names the rule.
 * The domain is turned into lower-case A-labels by libidn2 (UTS 46 non-transitional), once, here. A
 * non-ASCII local part is refused (SMTPUTF8 is not spoken yet). Limits: local part 64, domain 253,
 * whole 254 octets (RFC 5321 4.5.3.1, RFC 3696 erratum 1690), label 63, name 320 octets of UTF-8.
 */

#define ADDRESS_EMAIL_MAX 254
#define ADDRESS_NAME_MAX 320

struct address {
	char email[ADDRESS_EMAIL_MAX + 1]; /* local part as given, "@", A-label domain */
	char name[ADDRESS_NAME_MAX + 1];   /* UTF-8 without controls, "" if none */
};

/* text may contain any bytes, also NUL; linear time. ERR_INPUT: a sentence with the reason. */
int address_parse(const char *text, size_t len, struct address *out, struct err *e);
/* Makes an address from the email alone (no angle brackets) and a display name (NULL or "" = none).
 * ERR_INPUT. */
int address_make(const char *email, size_t email_len, const char *name, size_t name_len,
		 struct address *out, struct err *e);
/* The part after the "@". */
const char *address_domain(const struct address *a);
/* Converts a domain name to lower-case A-labels; out has at least 254 bytes. ERR_INPUT. */
int address_domain_to_ascii(const char *text, size_t len, char *out, struct err *e);

#endif

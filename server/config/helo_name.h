#ifndef SERVER_CONFIG_HELO_NAME_H
#define SERVER_CONFIG_HELO_NAME_H

struct config;

/* The name that Postern gives itself in EHLO (RFC 5321 4.1.1.1, 4.1.4). A name without a dot is
 * never sent: many servers refuse it, and with it every mail. */

#define HELO_NAME_MAX 256

/* NULL if text is a full domain name, or an address literal like "[192.0.2.1]"; else the words
 * before "... is expected". */
const char *helo_name_check(const char *text);

/* POSTERN_HELO_NAME; if that is not set: the host name of this machine, if helo_name_check accepts
 * it; else "": each connection then sends its own address as a literal. */
void helo_name_find(const struct config *config, char out[HELO_NAME_MAX]);

/* A sentence for the operator if this process delivers to MX hosts without a name; NULL = none. */
const char *helo_name_warning(const struct config *config);

#endif

#ifndef SERVER_MAIL_PARAM_H
#define SERVER_MAIL_PARAM_H

struct header;

#define PARAM_VALUE_MAX 1000

/* Appends "; name=value" of a MIME field (RFC 2045 section 5.1). A value that is not short plain
 * ASCII is written as name*=utf-8''... (RFC 2231), in sections where it is long, followed by
 * name="..." in ASCII for readers that do not know RFC 2231. value: one line of UTF-8 of at most
 * PARAM_VALUE_MAX octets, checked. */
void param_write(struct header *h, const char *name, const char *value);

#endif

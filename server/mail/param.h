#ifndef SERVER_MAIL_PARAM_H
#define SERVER_MAIL_PARAM_H

struct header;

#define PARAM_VALUE_MAX 1000

/* Appends "; name=value" of a MIME field (RFC 2045 section 5.1). A value that is not short plain
 * ASCII is written as name*=utf-8''... (RFC 2231), in sections where it is long, followed by an
 * ASCII likeness for readers that know only name="...". value is one line of UTF-8,
 * checked, of at most PARAM_VALUE_MAX octets. */
void param_write(struct header *h, const char *name, const char *value);

#endif

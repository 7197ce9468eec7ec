#ifndef SERVER_MAIL_CONTENT_TYPE_H
#define SERVER_MAIL_CONTENT_TYPE_H

#include <stdbool.h>

#include "server/base/err.h"

struct header;

/* The value of a Content-Type field (RFC 2045 5.1):
 *
 *	content   = token "/" token *( ";" [ parameter ] )
 *	parameter = token "=" ( token / quoted-string )
 *
 * with blanks allowed around ";" and "=". Values are printable ASCII: others can be written by RFC
 * 2231 (name*=utf-8''...). */

#define CONTENT_TYPE_MAX 1000

/* Checks that text is such a value of at most CONTENT_TYPE_MAX octets, without duplicate
 * parameters, and not multipart/ or message/. ERR_INPUT. */
int content_type_check(const char *text, struct err *e);
/* True if a checked value has this main type ("text"), or this parameter ("charset"). */
bool content_type_is(const char *text, const char *main_type);
bool content_type_has(const char *text, const char *parameter);
/* Appends a value that was checked to a field, with its parameters quoted where that is needed. */
void content_type_write(struct header *h, const char *text);

#endif

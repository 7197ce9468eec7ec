#ifndef SERVER_ROUTE_BOUNCE_H
#define SERVER_ROUTE_BOUNCE_H

#include <stdbool.h>

/* True if a permanent refusal is about the address itself, so that no mail should be sent to it
 * again. The enhanced status code (RFC 3463) decides; without one, known words of the text decide.
 * A text about the sender, its rate, its reputation or SPF is never about the address, whatever the
 * code.
 *
 * code: of the server's reply. 0 (our own result) is never about the address: null MX or a missing
 * domain can change in the DNS, and checking again costs one lookup. text: the reply after the
 * code. */
bool bounce_is_recipient(int code, const char *text);

#endif

#ifndef SERVER_ROUTE_BOUNCE_H
#define SERVER_ROUTE_BOUNCE_H

#include <stdbool.h>

/* Says whether a permanent refusal is about the address itself, so that no mail should go there
 * again. The enhanced status code (RFC 3463) decides; without one, the words that servers are known
 * to use. A text that names the sender, its rate, its reputation or SPF is never about the address,
 * whatever its code. code: of the server's reply; 0, our own result, is never about the address:
 * null MX and a domain that does not exist are facts of the DNS, which can change and cost one
 * lookup to find again. text: after the code. */
bool bounce_is_recipient(int code, const char *text);

#endif

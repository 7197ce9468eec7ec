#ifndef SERVER_ROUTE_BOUNCE_H
#define SERVER_ROUTE_BOUNCE_H

#include <stdbool.h>

/* Does a permanent refusal say that the address itself is no good, so that no mail should go there
 * again? By its enhanced status code (RFC 3463) where there is one; else by what servers without
 * them are known to say. Anything about the message, the sender, the domain or a policy is not.
 * code: of the reply; text: what follows it. */
bool bounce_is_recipient(int code, const char *text);

#endif

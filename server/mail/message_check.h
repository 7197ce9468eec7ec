#ifndef SERVER_MAIL_MESSAGE_CHECK_H
#define SERVER_MAIL_MESSAGE_CHECK_H

#include "server/mail/message.h"

/* Is everything in m fit to be written, whoever was meant to check before? ERR_INPUT. */
int message_check(const struct message *m, struct err *e);

/* Behind the last "/" or "\". */
const char *message_part_name(const struct message_part *part);
/* Is this header value a list of addresses, URIs or ids, in which nothing may be encoded? */
bool message_header_is_structured(const char *name);

#endif

#ifndef SERVER_MAIL_MESSAGE_CHECK_H
#define SERVER_MAIL_MESSAGE_CHECK_H

#include "server/mail/message.h"
#include "server/mail/param.h"

/* Checks everything in m again, also what callers should have checked. ERR_INPUT. */
int message_check(const struct message *m, struct err *e);

/* The file name as it is written: "_" for "/" and "\"; "" if there is none. */
void message_part_name(const struct message_part *part, char out[PARAM_VALUE_MAX + 1]);
/* True if the value of this header is a list of addresses, URIs or ids, in which nothing may be
 * encoded. */
bool message_header_is_structured(const char *name);

#endif

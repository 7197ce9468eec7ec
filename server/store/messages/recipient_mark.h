#ifndef SERVER_STORE_MESSAGES_RECIPIENT_MARK_H
#define SERVER_STORE_MESSAGES_RECIPIENT_MARK_H

/* Lists of messages by recipient: the first 6 hex digits of the SHA-1 of an address in lower case.
 * 2 name the list, 4 more mark its entries. */

#define RECIPIENT_MARK_LEN 6
#define RECIPIENT_LIST_LEN 2

void recipient_mark(const char *email, char out[RECIPIENT_MARK_LEN + 1]);

#endif

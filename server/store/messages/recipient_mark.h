#ifndef SERVER_STORE_MESSAGES_RECIPIENT_MARK_H
#define SERVER_STORE_MESSAGES_RECIPIENT_MARK_H

/* The mark of a recipient: the first 6 hex digits of the SHA-1 of the address in lower case. The
 * first 2 are in the name of the list of messages, the other 4 in its entries. */

#define RECIPIENT_MARK_LEN 6
#define RECIPIENT_LIST_LEN 2

/* -1: out of memory. */
int recipient_mark(const char *email, char out[RECIPIENT_MARK_LEN + 1]);

#endif

#ifndef SERVER_STORE_MESSAGES_LIST_MARK_H
#define SERVER_STORE_MESSAGES_LIST_MARK_H

#include <stddef.h>

/* The mark of a recipient or of a tag: the first 6 hex digits of the SHA-1 of its text. The first 2
 * are in the name of a list of messages, which many recipients or tags share. The other 4 are in
 * its entries, and tell them apart. */

#define LIST_MARK_LEN 6
#define LIST_MARK_IN_NAME 2

/* -1: out of memory. */
int list_mark(const char *text, size_t len, char out[LIST_MARK_LEN + 1]);
/* The mark of an address: that of its lower case. */
int list_mark_recipient(const char *email, char out[LIST_MARK_LEN + 1]);

#endif

#ifndef SERVER_STORE_MESSAGES_LIST_MARK_H
#define SERVER_STORE_MESSAGES_LIST_MARK_H

#include <stddef.h>

/* Messages are found by recipient and by tag in lists that many of these share: the mark of a text
 * is the first 6 hex digits of its SHA-1. The first 2 are in the name of the list of messages, the
 * other 4 in its entries. */

#define LIST_MARK_LEN 6
#define LIST_MARK_IN_NAME 2

/* -1: out of memory. */
int list_mark(const char *text, size_t len, char out[LIST_MARK_LEN + 1]);
/* The mark of an address: that of its lower case. */
int list_mark_recipient(const char *email, char out[LIST_MARK_LEN + 1]);

#endif

#ifndef SERVER_STORE_MESSAGES_CONTENT_DICTIONARY_H
#define SERVER_STORE_MESSAGES_CONTENT_DICTIONARY_H

#include <stddef.h>

/* Raw content for ZSTD_createCDict: see content.c. */
extern const char content_dictionary[];
extern const size_t content_dictionary_len;

#endif

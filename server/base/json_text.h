#ifndef SERVER_BASE_JSON_TEXT_H
#define SERVER_BASE_JSON_TEXT_H

#include <stddef.h>

#include <jansson.h>

/* A JSON string of any bytes, such as the reply of a mail server: octets that are not UTF-8 become
 * U+FFFD. NULL: out of memory. */
json_t *json_text(const char *text, size_t len);

#endif

#ifndef SERVER_BASE_JSON_TEXT_H
#define SERVER_BASE_JSON_TEXT_H

#include <stddef.h>

#include <jansson.h>

/* Makes a JSON string from any bytes, such as the reply of a mail server. Octets that are not UTF-8
 * become U+FFFD. The caller owns the value. NULL: out of memory. */
json_t *json_text(const char *text, size_t len);

/* Appends an item to an array. On failure, also of an item that is NULL, *list becomes NULL: the
 * list is never without some of its items. */
void json_list_add(json_t **list, json_t *take_item);

#endif

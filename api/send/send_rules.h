#ifndef API_SEND_SEND_RULES_H
#define API_SEND_SEND_RULES_H

#include <stddef.h>

#include "api/json/rules.h"

/* The tables of POST /v1/messages: the body, whose target is a struct send, an address given as an
 * object, and an attachment (send_parts.c). openapi.yaml describes the same fields; a test compares
 * them. */
extern const struct rule send_rules[];
extern const size_t send_rules_count;
extern const struct rule send_address_rules[];
extern const size_t send_address_rules_count;
extern const struct rule send_part_rules[];
extern const size_t send_part_rules_count;

/* An item of `attachments`. */
extern const struct rule send_part_item;

#endif

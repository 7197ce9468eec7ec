#ifndef API_JSON_CHECK_H
#define API_JSON_CHECK_H

#include <stddef.h>

#include "api/json/rules.h"

/* Checks that rules of several tables share. 0, or -1 with the text for the user (ERR_INPUT). */

/* For text that goes into a header of a mail: no control characters, no line ends. */
int check_line(const struct rule_value *v, struct err *e);
/* The same, but a TAB is allowed and becomes a blank. *text lives as long as v->json. */
int check_text_line(const struct rule_value *v, const char **text, struct err *e);

/* Is it one of the words (NULL ends them)? which: its index. */
int check_word(const struct rule_value *v, const char *const *words, size_t *which, struct err *e);

#endif

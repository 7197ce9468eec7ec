#ifndef API_JSON_CHECK_H
#define API_JSON_CHECK_H

#include <stddef.h>

#include "api/json/rules.h"

/* Checks that several tables of rules share. Return 0, or -1 with the text for the user
 * (ERR_INPUT). */

/* For text in a header of a mail: valid UTF-8, no control characters, no line ends. */
int check_line(const struct rule_value *v, struct err *e);
/* The `take` of a rule with this check: stores v->text at `at`, a const char *. */
int check_take_line(struct rules_run *run, const struct rule_value *v, void *at, struct err *e);
/* The same as check_line, but a TAB is allowed and becomes a space. *text is valid as long as
 * v->json. */
int check_text_line(const struct rule_value *v, const char **text, struct err *e);

/* The value must be one of the words (ended by NULL). *which: its index. */
int check_word(const struct rule_value *v, const char *const *words, size_t *which, struct err *e);

#endif

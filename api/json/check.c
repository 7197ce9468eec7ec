/* Checks of string values that rules of several tables share. */
#include "api/json/check.h"

#include <string.h>

#include "server/base/utf8.h"

int check_line(const struct rule_value *v, struct err *e)
{
	return utf8_check_line(v->text, v->len, "the value", e);
}

int check_word(const struct rule_value *v, const char *const *words, size_t *which, struct err *e)
{
	struct buf list = {.limit = 200};
	size_t i;

	for (i = 0; words[i]; i++) {
		if (strcmp(v->text, words[i]) == 0) {
			*which = i;
			buf_deinit(&list);
			return 0;
		}
		buf_fmt(&list, "%s\"%s\"", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	err_set(e, ERR_INPUT, "must be %s", buf_text(&list));
	buf_deinit(&list);
	return -1;
}

/* Checks of string values that rules of several tables share. */
#include "api/json/check.h"

#include <string.h>

#include "server/base/utf8.h"

int check_line(const struct rule_value *v, struct err *e)
{
	return utf8_check_line(v->text, v->len, "the value", e);
}

int check_take_line(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	(void)run;
	*(const char **)at = v->text;
	return check_line(v, e);
}

int check_text_line(const struct rule_value *v, const char **text, struct err *e)
{
	struct rule_value blanks = *v;
	struct buf copy = {0};
	int rc = -1;

	*text = v->text;
	if (!memchr(v->text, '\t', v->len))
		return check_line(v, e);
	for (const char *p = v->text; *p; p++)
		buf_char(&copy, *p == '\t' ? ' ' : *p);
	blanks.text = buf_text(&copy);
	if (copy.failed || json_string_setn_nocheck(v->json, blanks.text, v->len) < 0)
		err_oom(e);
	else
		rc = check_line(&blanks, e);
	*text = json_string_value(v->json);
	buf_deinit(&copy);
	return rc;
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

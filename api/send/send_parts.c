/* The fields of an attachment of POST /v1/messages. */
#include <stdlib.h>
#include <string.h>

#include "server/base/base64.h"
#include "api/json/check.h"
#include "api/send/send.h"
#include "api/send/send_rules.h"
#include "server/base/buf.h"
#include "server/mail/content_type.h"

static int take_filename(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	(void)run;
	if (message_check_filename(v->text, v->len, e) < 0)
		return -1;
	*(const char **)at = v->text;
	return 0;
}

static int take_content(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	struct send_part *part = at;
	unsigned char *bytes = malloc(BASE64_ROOM(v->len) + 1);

	(void)run;
	if (!bytes)
		return err_oom(e);
	if (base64_decode(v->text, v->len, bytes, &part->len, e) < 0) {
		free(bytes);
		return -1;
	}
	/* Freed with the part. */
	part->bytes = bytes;
	return 0;
}

static int take_content_type(struct rules_run *run, const struct rule_value *v, void *at,
			     struct err *e)
{
	(void)run;
	if (check_line(v, e) < 0 || content_type_check(v->text, e) < 0)
		return -1;
	*(const char **)at = v->text;
	return 0;
}

/* Written in angle brackets (RFC 2045 7); HTML refers to it as cid:... */
static int take_content_id(struct rules_run *run, const struct rule_value *v, void *at,
			   struct err *e)
{
	size_t i;

	(void)run;
	for (i = 0; i < v->len; i++)
		if (v->text[i] <= ' ' || v->text[i] > '~' || strchr("<>()[]\\,;:\"", v->text[i]))
			return err_set(e, ERR_INPUT,
				       "must be printable ASCII without spaces, brackets, quotes, "
				       "commas or colons");
	*(const char **)at = v->text;
	return 0;
}

static int take_disposition(struct rules_run *run, const struct rule_value *v, void *at,
			    struct err *e)
{
	static const char *const words[] = {"attachment", "inline", "alternative", NULL};
	static const enum part_place places[] = {PART_ATTACHMENT, PART_INLINE, PART_ALTERNATIVE};
	size_t which;

	(void)run;
	if (check_word(v, words, &which, e) < 0)
		return -1;
	*(enum part_place *)at = places[which];
	return 0;
}

const struct rule send_part_rules[] = {
	{.field = "filename",
	 .types = RULE_STRING,
	 .min = 1,
	 .max = 500,
	 .at = offsetof(struct send_part, filename),
	 .take = take_filename},
	{.field = "content", .types = RULE_STRING, .is_required = true, .take = take_content},
	{.field = "content_type",
	 .types = RULE_STRING,
	 .min = 1,
	 .max = CONTENT_TYPE_MAX,
	 .at = offsetof(struct send_part, content_type),
	 .take = take_content_type},
	{.field = "content_id",
	 .types = RULE_STRING,
	 .min = 1,
	 .max = 200,
	 .at = offsetof(struct send_part, content_id),
	 .take = take_content_id},
	{.field = "disposition",
	 .types = RULE_STRING,
	 .at = offsetof(struct send_part, place),
	 .take = take_disposition},
};
const size_t send_part_rules_count = sizeof(send_part_rules) / sizeof(send_part_rules[0]);

static void check_part(struct rules_run *run, const json_t *json, const struct send_part *part)
{
	bool is_alternative = part->place == PART_ALTERNATIVE;

	if (!is_alternative && !rules_is_given(json, "filename"))
		rules_error(run, "filename", "is required unless `disposition` is \"alternative\"");
	if (is_alternative && !(part->content_type && content_type_is(part->content_type, "text")))
		rules_error(run, "content_type",
			    "must begin with text/ when `disposition` is \"alternative\"");
}

static int take_part(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	struct send *s = at;
	struct send_part *parts = list_room(s->parts, s->n_parts, sizeof(*parts));

	if (!parts)
		return err_oom(e);
	s->parts = parts;
	parts[s->n_parts] = (struct send_part){0};
	rules_fields(run, send_part_rules, send_part_rules_count, v->json, &parts[s->n_parts]);
	check_part(run, v->json, &parts[s->n_parts++]);
	return 0;
}

const struct rule send_part_item = {.types = RULE_OBJECT, .take = take_part};

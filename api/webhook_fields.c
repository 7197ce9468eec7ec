/* The rules of the fields of a webhook endpoint. */
#include "api/webhook_fields.h"

#include "api/body.h"
#include "api/json/check.h"
#include "server/config/config.h"
#include "server/events/event.h"

#define DESCRIPTION_MAX 200
#define FILTERS_MAX 20

/* The host is converted to A-labels (RFC 5891), and private networks are refused unless the
 * operator allows them. */
static int take_url(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	struct webhook_fields *b = at;

	(void)run;
	b->url = b->url_ascii;
	if (fetch_url_to_ascii(v->text, b->url_ascii, e) < 0)
		return -1;
	return fetch_url_check(b->url, b->config->webhook_allow_private, e);
}

static int check_filter(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	char types[EVENT_TYPES_MAX];

	(void)run;
	(void)at;
	if (event_filter_is_known(v->text))
		return 0;
	event_types(types);
	return err_set(e, ERR_INPUT, "must be one of %s, or a prefix and `*`", types);
}

static int take_value(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	(void)run;
	(void)e;
	*(json_t **)at = v->json;
	return 0;
}

static const struct rule filter = {.types = RULE_STRING, .min = 1, .max = 64, .take = check_filter};

/* One table for both: the change of an endpoint needs no field. */
#define RULES(url_is_required)                                                                     \
	{                                                                                          \
		{.field = "url",                                                                   \
		 .types = RULE_STRING,                                                             \
		 .is_required = (url_is_required),                                                 \
		 .min = 1,                                                                         \
		 .max = FETCH_URL_MAX,                                                             \
		 .at = 0,                                                                          \
		 .take = take_url},                                                                \
			{.field = "events",                                                        \
			 .types = RULE_ARRAY,                                                      \
			 .min = 1,                                                                 \
			 .max = FILTERS_MAX,                                                       \
			 .at = offsetof(struct webhook_fields, events),                            \
			 .take = take_value,                                                       \
			 .each = &filter},                                                         \
			{.field = "description",                                                   \
			 .types = RULE_STRING,                                                     \
			 .max = DESCRIPTION_MAX,                                                   \
			 .at = offsetof(struct webhook_fields, description),                       \
			 .take = check_take_line},                                                 \
			{.field = "enabled",                                                       \
			 .types = RULE_BOOLEAN,                                                    \
			 .at = offsetof(struct webhook_fields, enabled),                           \
			 .take = take_value},                                                      \
	}
static const struct rule create_rules[] = RULES(true);
static const struct rule update_rules[] = RULES(false);
#define RULES_COUNT (sizeof(create_rules) / sizeof(*create_rules))

int webhook_fields_read(struct request *r, bool is_new, struct webhook_fields *fields,
			json_t **body)
{
	fields->config = request_api(r)->config;
	return body_read(r, is_new ? create_rules : update_rules, RULES_COUNT, fields, body);
}

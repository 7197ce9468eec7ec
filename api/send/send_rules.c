/* The fields of POST /v1/messages: one row each, and the checks that the rows name. */
#include "api/send/send_rules.h"

#include <string.h>
#include <strings.h>

#include "api/json/check.h"
#include "api/json/duration.h"
#include "api/send/send.h"
#include "server/base/buf.h"

#define DELIVER_WITHIN_MIN_S 60
#define DELIVER_WITHIN_MAX_S ((int64_t)5 * 86400)
#define METADATA_MAX_BYTES 4096

/* ---- plain strings ---- */

/* Writes to a const char *. */
static int take_header_text(struct rules_run *run, const struct rule_value *v, void *at,
			    struct err *e)
{
	(void)run;
	return check_text_line(v, at, e);
}

/* Empty text or HTML counts as not given: an empty part would hide the other one. */
static int take_text(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	struct message *m = at;

	(void)run;
	(void)e;
	if (v->len == 0)
		return 0;
	m->text = v->text;
	m->text_len = v->len;
	return 0;
}

static int take_html(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	struct message *m = at;

	(void)run;
	(void)e;
	if (v->len == 0)
		return 0;
	m->html = v->text;
	m->html_len = v->len;
	return 0;
}

/* ---- addresses ---- */

struct address_object {
	struct rule_value email, name;
};

static int take_part_of_address(struct rules_run *run, const struct rule_value *v, void *at,
				struct err *e)
{
	(void)run;
	if (check_line(v, e) < 0)
		return -1;
	*(struct rule_value *)at = *v;
	return 0;
}

const struct rule send_address_rules[] = {
	{.field = "email",
	 .types = RULE_STRING,
	 .is_required = true,
	 .min = 1,
	 .max = 254,
	 .at = offsetof(struct address_object, email),
	 .take = take_part_of_address},
	{.field = "name",
	 .types = RULE_STRING,
	 .max = 320,
	 .at = offsetof(struct address_object, name),
	 .take = take_part_of_address},
};
const size_t send_address_rules_count = sizeof(send_address_rules) / sizeof(send_address_rules[0]);

/* Reports an error at the member; then `out` must not be used. */
static bool read_address_object(struct rules_run *run, json_t *json, struct address *out)
{
	size_t before = json_array_size(run->errors);
	struct address_object o = {0};
	struct err e;

	rules_fields(run, send_address_rules, send_address_rules_count, json, &o);
	if (run->is_out_of_memory || json_array_size(run->errors) != before || !o.email.text)
		return false;
	if (address_make(o.email.text, o.email.len, NULL, 0, out, &e) < 0) {
		rules_error(run, "email", "%s", e.text);
		return false;
	}
	if (o.name.text &&
	    address_make(o.email.text, o.email.len, o.name.text, o.name.len, out, &e) < 0) {
		rules_error(run, "name", "%s", e.text);
		return false;
	}
	return true;
}

/* 0: read. 1: an error was reported. -1: e has the error. */
static int read_address(struct rules_run *run, const struct rule_value *v, struct address *out,
			struct err *e)
{
	if (!v->text)
		return read_address_object(run, v->json, out) ? 0 : 1;
	if (check_line(v, e) < 0)
		return -1;
	return address_parse(v->text, v->len, out, e);
}

static int take_address(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	return read_address(run, v, at, e) < 0 ? -1 : 0;
}

static int take_address_of_list(struct rules_run *run, const struct rule_value *v, void *at,
				struct err *e)
{
	struct send_addresses *list = at;
	struct address address, *items;
	int rc = read_address(run, v, &address, e);

	if (rc)
		return rc < 0 ? -1 : 0;
	items = list_room(list->items, list->n, sizeof(*items));
	if (!items)
		return err_oom(e);
	list->items = items;
	list->items[list->n++] = address;
	return 0;
}

static const struct rule address_item = {
	.types = RULE_STRING | RULE_OBJECT,
	.take = take_address_of_list,
};

/* ---- headers ---- */

/* The header as it was given; NULL: not given. */
static const char *find_header(const struct send *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_headers; i++)
		if (strcasecmp(s->headers[i].name, name) == 0)
			return s->headers[i].name;
	return NULL;
}

static int take_header(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	struct send *s = at;
	struct message_header *headers;
	const char *value;

	(void)run;
	if (check_text_line(v, &value, e) < 0 || message_check_header(v->name, value, e) < 0)
		return -1;
	if (find_header(s, v->name))
		return err_set(e, ERR_INPUT, "duplicate header (names are compared without case)");
	headers = list_room(s->headers, s->n_headers, sizeof(*headers));
	if (!headers)
		return err_oom(e);
	s->headers = headers;
	headers[s->n_headers++] = (struct message_header){v->name, value};
	return 0;
}

/* RFC 8058 3.1: the one-click field is only valid beside the field with the URL. */
static int check_headers(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	const struct send *s = at;
	const char *post = find_header(s, "List-Unsubscribe-Post");

	(void)v;
	(void)e;
	if (post && !find_header(s, "List-Unsubscribe"))
		rules_error(run, post, "requires the header List-Unsubscribe");
	return 0;
}

static const struct rule header_item = {.types = RULE_STRING, .take = take_header};

/* ---- tags, metadata, choices ---- */

static int check_tag(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_-.:";

	(void)run;
	(void)at;
	if (strspn(v->text, allowed) != v->len)
		return err_set(e, ERR_INPUT, "must contain only letters, digits and _ - . :");
	return 0;
}

static const struct rule tag_item = {.types = RULE_STRING, .min = 1, .max = 64, .take = check_tag};

static const struct rule metadata_item = {.types = RULE_STRING};

/* Writes to a json_t *. */
static int take_json(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	(void)run;
	(void)e;
	*(json_t **)at = v->json;
	return 0;
}

/* A member that is null counts as not given. */
static void drop_nulls(json_t *object)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, name, value)
	{
		if (json_is_null(value))
			json_object_del(object, name);
	}
}

static int take_metadata(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	size_t len, bytes = 0;
	const char *name;
	json_t *value;

	drop_nulls(v->json);
	json_object_keylen_foreach (v->json, name, len, value) {
		bytes += len + json_string_length(value);
	}
	if (bytes > METADATA_MAX_BYTES)
		return err_set(e, ERR_INPUT,
			       "names and values have %zu octets; at most %d are allowed", bytes,
			       METADATA_MAX_BYTES);
	return take_json(run, v, at, e);
}

static int take_lane(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	static const char *const words[] = {"otp", "normal", "bulk", NULL};
	static const enum lane lanes[] = {LANE_OTP, LANE_NORMAL, LANE_BULK};
	struct send *s = at;
	size_t which;

	(void)run;
	if (check_word(v, words, &which, e) < 0)
		return -1;
	s->lane = lanes[which];
	s->has_lane = true;
	return 0;
}

static int take_deliver_within(struct rules_run *run, const struct rule_value *v, void *at,
			       struct err *e)
{
	(void)run;
	return duration_parse(v->text, v->len, DELIVER_WITHIN_MIN_S, DELIVER_WITHIN_MAX_S, at, e);
}

static int take_on_unknown(struct rules_run *run, const struct rule_value *v, void *at,
			   struct err *e)
{
	static const char *const words[] = {"retry", "fail", NULL};
	size_t which;

	(void)run;
	if (check_word(v, words, &which, e) < 0)
		return -1;
	*(bool *)at = which == 1;
	return 0;
}

/* ---- the table ---- */

/* An array of addresses may hold more than max_recipients, since equal ones count once. */
#define ADDRESSES_MAX 1000
#define ADDRESS_LIST(name)                                                                         \
	{                                                                                          \
		.field = #name, .types = RULE_ARRAY, .max = ADDRESSES_MAX,                         \
		.at = offsetof(struct send, name), .each = &address_item, .is_one_or_more = true   \
	}

const struct rule send_rules[] = {
	{.field = "from",
	 .types = RULE_STRING | RULE_OBJECT,
	 .is_required = true,
	 .at = offsetof(struct send, from),
	 .take = take_address},
	ADDRESS_LIST(to),
	ADDRESS_LIST(cc),
	ADDRESS_LIST(bcc),
	{.field = "reply_to",
	 .types = RULE_ARRAY,
	 .max = 50,
	 .at = offsetof(struct send, reply_to),
	 .each = &address_item,
	 .is_one_or_more = true},
	{.field = "subject",
	 .types = RULE_STRING,
	 .max = 5000,
	 .at = offsetof(struct send, message.subject),
	 .take = take_header_text},
	{.field = "text",
	 .types = RULE_STRING,
	 .at = offsetof(struct send, message),
	 .take = take_text},
	{.field = "html",
	 .types = RULE_STRING,
	 .at = offsetof(struct send, message),
	 .take = take_html},
	{.field = "attachments", .types = RULE_ARRAY, .max = 100, .each = &send_part_item},
	{.field = "headers",
	 .types = RULE_OBJECT,
	 .max = 50,
	 .take = check_headers,
	 .each = &header_item},
	{.field = "tags",
	 .types = RULE_ARRAY,
	 .max = 10,
	 .at = offsetof(struct send, tags),
	 .take = take_json,
	 .each = &tag_item},
	{.field = "metadata",
	 .types = RULE_OBJECT,
	 .max = 20,
	 .at = offsetof(struct send, metadata),
	 .take = take_metadata,
	 .each = &metadata_item},
	{.field = "lane", .types = RULE_STRING, .take = take_lane},
	{.field = "deliver_within",
	 .types = RULE_STRING,
	 .at = offsetof(struct send, within_ms),
	 .take = take_deliver_within},
	{.field = "on_unknown",
	 .types = RULE_STRING,
	 .at = offsetof(struct send, choices.fail_on_unknown),
	 .take = take_on_unknown},
};
const size_t send_rules_count = sizeof(send_rules) / sizeof(send_rules[0]);

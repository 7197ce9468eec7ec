/* Reads the JSON of POST /v1/messages into a checked envelope and a message to build. */
#include "api/send/send.h"

#include <stdlib.h>
#include <string.h>

#include "api/json/rules.h"
#include "api/send/send_rules.h"
#include "server/base/buf.h"
#include "server/base/json_write.h"

/* ---- across fields ---- */

static int add_recipients(json_t *envelope, const struct send_addresses *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (json_object_set_new_nocheck(envelope, list->items[i].email, json_true()) < 0)
			return -1;
	return 0;
}

/* A Jansson object keeps its order and has each name once: an ordered set. */
static int make_envelope(struct send *s)
{
	const char *email;
	json_t *unused;

	s->envelope = json_object();
	if (!s->envelope || add_recipients(s->envelope, &s->to) < 0 ||
	    add_recipients(s->envelope, &s->cc) < 0 || add_recipients(s->envelope, &s->bcc) < 0)
		return -1;
	s->emails = calloc(json_object_size(s->envelope) + 1, sizeof(*s->emails));
	if (!s->emails)
		return -1;
	json_object_foreach (s->envelope, email, unused) {
		s->emails[s->n_emails++] = email;
	}
	return 0;
}

static bool has_items(const json_t *body, const char *field)
{
	const json_t *json = json_object_get(body, field);

	return rules_is_given(body, field) && !(json_is_array(json) && json_array_size(json) == 0);
}

static bool has_text(const json_t *body, const char *field)
{
	const json_t *json = json_object_get(body, field);

	return rules_is_given(body, field) &&
	       !(json_is_string(json) && json_string_length(json) == 0);
}

static void check_recipients(struct rules_run *run, const struct send *s, int64_t max)
{
	if (!has_items(s->body, "to") && !has_items(s->body, "cc") && !has_items(s->body, "bcc"))
		rules_error(run, "to", "give at least one recipient in `to`, `cc` or `bcc`");
	else if ((int64_t)s->n_emails > max)
		rules_error(run, "to",
			    "`to`, `cc` and `bcc` have %zu different recipients; at most %lld are "
			    "allowed",
			    s->n_emails, (long long)max);
}

static void check_whole(struct rules_run *run, struct send *s, const struct config *config)
{
	if (!json_is_object(s->body))
		return;
	if (make_envelope(s) < 0) {
		run->is_out_of_memory = true;
		return;
	}
	check_recipients(run, s, config->max_recipients);
	if (!has_text(s->body, "text") && !has_text(s->body, "html"))
		rules_error(run, "text", "give `text` or `html`; one of them must not be empty");
}

/* ---- the message ---- */

static int fill_parts(struct send *s)
{
	size_t i;

	s->message_parts = calloc(s->n_parts + 1, sizeof(*s->message_parts));
	if (!s->message_parts)
		return -1;
	for (i = 0; i < s->n_parts; i++)
		s->message_parts[i] = (struct message_part){
			.filename = s->parts[i].filename,
			.content_type = s->parts[i].content_type,
			.content_id = s->parts[i].content_id,
			.place = s->parts[i].place,
			.bytes = s->parts[i].bytes,
			.len = s->parts[i].len,
		};
	return 0;
}

static int fill_message(struct send *s, struct err *e)
{
	if (fill_parts(s) < 0)
		return err_oom(e);
	s->message.from = &s->from;
	s->message.to = s->to.items;
	s->message.n_to = s->to.n;
	s->message.cc = s->cc.items;
	s->message.n_cc = s->cc.n;
	s->message.reply_to = s->reply_to.items;
	s->message.n_reply_to = s->reply_to.n;
	s->message.parts = s->message_parts;
	s->message.n_parts = s->n_parts;
	s->message.headers = s->headers;
	s->message.n_headers = s->n_headers;
	return 0;
}

int send_read(struct send *s, json_t *body, const struct config *config, json_t **errors,
	      struct err *e)
{
	struct rules_run run = {0};
	int rc;

	*s = (struct send){
		.lane = LANE_NORMAL,
		.within_ms = config->default_deadline_s * 1000,
		.body = json_incref(body),
	};
	rules_body(&run, send_rules, send_rules_count, body, s);
	check_whole(&run, s, config);
	if (run.is_out_of_memory) {
		rc = err_oom(e);
	} else if (rules_has_errors(&run)) {
		*errors = rules_take_errors(&run);
		rc = err_set(e, ERR_INPUT, "the request body has errors");
	} else {
		rc = fill_message(s, e);
	}
	rules_deinit(&run);
	return rc;
}

void send_deinit(struct send *s)
{
	size_t i;

	for (i = 0; i < s->n_parts; i++)
		free(s->parts[i].bytes);
	free(s->parts);
	free(s->message_parts);
	free(s->headers);
	free(s->emails);
	free(s->to.items);
	free(s->cc.items);
	free(s->bcc.items);
	free(s->reply_to.items);
	json_decref(s->envelope);
	json_decref(s->body);
	*s = (struct send){0};
}

/* ---- facts ---- */

static void put_address(struct buf *out, const struct address *a)
{
	buf_char(out, '{');
	json_write_member(out, "email", a->email);
	if (a->name[0])
		json_write_member(out, "name", a->name);
	buf_char(out, '}');
}

static void put_addresses(struct buf *out, const char *name, const struct send_addresses *list)
{
	if (!list->n)
		return;
	json_write_name(out, name);
	for (size_t i = 0; i < list->n; i++) {
		buf_char(out, i ? ',' : '[');
		put_address(out, &list->items[i]);
	}
	buf_char(out, ']');
}

static void put_json(struct buf *out, const char *name, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	if (!value)
		return;
	json_write_name(out, name);
	if (text)
		buf_str(out, text);
	else
		out->failed = true;
	free(text);
}

void send_facts(const struct send *s, const struct send_extra *extra, struct buf *out)
{
	buf_char(out, '{');
	json_write_name(out, "from");
	put_address(out, &s->from);
	put_addresses(out, "to", &s->to);
	put_addresses(out, "cc", &s->cc);
	put_addresses(out, "bcc", &s->bcc);
	put_addresses(out, "reply_to", &s->reply_to);
	if (s->message.subject)
		json_write_member(out, "subject", s->message.subject);
	if (s->has_lane)
		json_write_member(out, "lane", lane_name(s->lane));
	put_json(out, "tags", s->tags);
	put_json(out, "metadata", s->metadata);
	json_write_member(out, "internet_message_id", extra->internet_message_id);
	json_write_name(out, "size_bytes");
	buf_fmt(out, "%zu", extra->size_bytes);
	if (extra->durability)
		json_write_member(out, "durability", extra->durability);
	if (extra->request_id)
		json_write_member(out, "request_id", extra->request_id);
	buf_char(out, '}');
}

json_t *send_envelope(const json_t *facts)
{
	static const char *const fields[] = {"to", "cc", "bcc"};
	json_t *envelope = json_object();
	const json_t *address;
	const char *email;
	size_t i, k;

	for (i = 0; envelope && i < 3; i++) {
		json_array_foreach (json_object_get(facts, fields[i]), k, address) {
			email = json_string_value(json_object_get(address, "email"));
			if (email && json_object_set_new(envelope, email, json_true()) == 0)
				continue;
			json_decref(envelope);
			return NULL;
		}
	}
	return envelope;
}

/* Turns the JSON of POST /v1/messages into a checked envelope and a message to build. */
#include "api/send.h"

#include <stdlib.h>
#include <string.h>

#include "api/http/rules.h"
#include "server/mail/text.h"
#include "api/send_rules.h"

/* ---- across fields ---- */

static int add_recipients(json_t *envelope, const struct send_addresses *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (json_object_set_new_nocheck(envelope, list->items[i].email, json_true()) < 0)
			return -1;
	return 0;
}

/* Jansson objects keep their order and let a name in once: the set that an envelope is. */
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

static bool is_empty_array(const json_t *body, const char *field)
{
	const json_t *json = json_object_get(body, field);

	return !json || (json_is_array(json) && json_array_size(json) == 0);
}

static void check_recipients(struct rules_run *run, const struct send *s, int64_t max)
{
	if (is_empty_array(s->body, "to") && is_empty_array(s->body, "cc") &&
	    is_empty_array(s->body, "bcc"))
		rules_fault(run, "to", "needs at least one recipient, here or in `cc` or `bcc`");
	else if ((int64_t)s->n_emails > max)
		rules_fault(run, "to",
			    "has %zu different recipients together with `cc` and `bcc`; at most "
			    "%lld are allowed",
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
	if (!json_object_get(s->body, "text") && !json_object_get(s->body, "html"))
		rules_fault(run, "text", "is required unless `html` is given");
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
			.is_inline = s->parts[i].is_inline,
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

int send_read(struct send *s, json_t *body, const struct config *config, json_t **faults,
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
	} else if (rules_has_faults(&run)) {
		*faults = rules_take_faults(&run);
		rc = err_set(e, ERR_INPUT, "the body has faults");
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

json_t *send_fault(const char *pointer, const char *detail)
{
	return json_pack("[{s:s, s:o}]", "pointer", pointer, "detail",
			 text_json(detail, strlen(detail)));
}

/* ---- facts ---- */

static json_t *fact_address(const struct address *a)
{
	if (a->name[0])
		return json_pack("{s:s, s:s}", "email", a->email, "name", a->name);
	return json_pack("{s:s}", "email", a->email);
}

static json_t *fact_addresses(const struct send_addresses *list)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (json_array_append_new(array, fact_address(&list->items[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static int put_addresses(json_t *facts, const struct send *s)
{
	const struct {
		const char *name;
		const struct send_addresses *list;
	} lists[] = {{"to", &s->to}, {"cc", &s->cc}, {"bcc", &s->bcc}, {"reply_to", &s->reply_to}};
	size_t i;

	if (json_object_set_new(facts, "from", fact_address(&s->from)) < 0)
		return -1;
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (lists[i].list->n &&
		    json_object_set_new(facts, lists[i].name, fact_addresses(lists[i].list)) < 0)
			return -1;
	return 0;
}

static int put_options(json_t *facts, const struct send *s)
{
	if (s->message.subject &&
	    json_object_set_new(facts, "subject", json_string(s->message.subject)) < 0)
		return -1;
	if (s->has_lane && json_object_set_new(facts, "lane", json_string(lane_name(s->lane))) < 0)
		return -1;
	if (s->tags && json_object_set(facts, "tags", s->tags) < 0)
		return -1;
	return s->metadata ? json_object_set(facts, "metadata", s->metadata) : 0;
}

json_t *send_facts(const struct send *s, const struct send_extra *extra)
{
	json_t *facts = json_object();
	json_t *rest = json_pack("{s:s, s:I, s:s*, s:s*}", "message_id", extra->message_id,
				 "size_bytes", (json_int_t)extra->size_bytes, "durability",
				 extra->durability, "request_id", extra->request_id);

	if (!facts || !rest || put_addresses(facts, s) < 0 || put_options(facts, s) < 0 ||
	    json_object_update(facts, rest) < 0) {
		json_decref(facts);
		facts = NULL;
	}
	json_decref(rest);
	return facts;
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

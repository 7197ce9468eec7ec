/* The test inbox: keeps what the built-in sink received, and deletes it. */
#include "server/store/projects/inbox.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/buf.h"
#include "server/base/metrics.h"
#include "server/config/config.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/messages/content.h"
#include "server/store/messages/content_chunks.h"

#define MAILS_MAX 100 /* of a recipient */
#define LIFE_S 86400
#define RECIPIENTS_MAX 100 /* a call */
#define DELETED_MAX 500    /* a call */

#define PERCENT_OF_REDIS 5
#define FULL_PERCENT 70 /* of Redis's memory: no mail is kept */

void inbox_write_name(const char *recipient, char out[INBOX_RECIPIENT_MAX])
{
	size_t i = 0;

	for (; recipient && recipient[i] && i < INBOX_RECIPIENT_MAX - 1; i++)
		out[i] = (char)tolower((unsigned char)recipient[i]);
	out[i] = 0;
	if (!recipient)
		snprintf(out, INBOX_RECIPIENT_MAX, "*");
}

/* ---- put ---- */

struct putting {
	struct redis *redis;
	struct inbox_put put;
	struct buf packed;
	size_t next, n;   /* recipients of the call: the first one, how many */
	bool is_large;    /* the content is in chunks */
	bool has_content; /* the call says where the content is */
	bool is_kept;
	inbox_put_fn *fn;
	void *arg;
};

/* The bytes that all test inboxes may take. 0: Redis is nearly full. */
static int64_t total_cap(const struct redis *redis)
{
	int64_t percent = redis_memory_max(redis) / 100;

	if (percent == 0)
		return redis_config(redis)->test_inbox_bytes; /* not known */
	return redis_memory_used(redis) / percent >= FULL_PERCENT ? 0 : percent * PERCENT_OF_REDIS;
}

static void end_put(struct putting *p, const struct err *why)
{
	p->fn(p->is_kept, why, p->arg);
	buf_deinit(&p->packed);
	free(p);
}

static void add_recipient(struct command *c, const struct putting *p, const char *recipient)
{
	char name[INBOX_RECIPIENT_MAX];
	json_t *json = json_pack("{s:s, s:s, s:I}", "recipient", recipient, "sender", p->put.sender,
				 "received_ms", (json_int_t)p->put.received_ms);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	inbox_write_name(recipient, name);
	script_inbox_item(c, &(struct script_inbox_item){.recipient = name, .json = text});
	c->bytes.failed |= !text;
	free(text);
	json_decref(json);
}

static void on_put(const struct call_result *result, void *context);

/* Adds up to RECIPIENTS_MAX recipients. */
static void put_some(struct putting *p)
{
	size_t left = p->put.n_recipients - p->next;
	bool is_inline = p->has_content && !p->is_large;
	struct command c = {0};

	p->n = left > RECIPIENTS_MAX ? RECIPIENTS_MAX : left;
	script_inbox(&c, INBOX_PARTITION,
		     &(struct script_inbox){
			     .project = p->put.project,
			     .message = p->put.message,
			     .content = is_inline ? p->packed.data : NULL,
			     .content_len = is_inline ? p->packed.len : 0,
			     .chunks = p->has_content && p->is_large
					       ? (int64_t)content_chunks_count(p->packed.len)
					       : 0,
			     .packed_bytes = (int64_t)p->packed.len,
			     .bytes = (int64_t)p->put.mail_len,
			     .life_s = LIFE_S,
			     .most = MAILS_MAX,
			     .cap = redis_config(p->redis)->test_inbox_bytes,
			     .total_cap = total_cap(p->redis),
		     });
	for (size_t i = 0; i < p->n; i++)
		add_recipient(&c, p, p->put.recipients[p->next + i]);
	redis_call_bulk(p->redis, &c, INBOX_LIMIT_MS, CALLBACK(on_put, p));
}

static void on_chunks(const struct err *why, void *arg)
{
	struct putting *p = arg;

	if (why)
		end_put(p, why);
	else
		put_some(p);
}

/* The store does not have the content: it is the message's first mail. */
static void put_content(struct putting *p)
{
	char name[96];
	struct err e;

	if (p->has_content) {
		err_set(&e, ERR_RETRY, "Redis did not keep the content");
		end_put(p, &e);
		return;
	}
	p->has_content = true;
	if (!p->is_large) {
		put_some(p);
		return;
	}
	snprintf(name, sizeof(name), KEY_INBOX_CONTENT, p->put.project, p->put.message);
	content_chunks_write(p->redis, INBOX_PARTITION, name, &p->packed, INBOX_LIMIT_MS, on_chunks,
			     p);
}

static void on_put(const struct call_result *result, void *context)
{
	int64_t status = resp_number_at(result->reply, INBOX_STATUS);
	struct putting *p = context;
	struct err e;

	if (result->end != CALL_ANSWERED) {
		end_put(p, result->why);
		return;
	}
	if (status == INBOX_STATUS_NEEDS_CONTENT) {
		put_content(p);
		return;
	}
	if (status != INBOX_STATUS_KEPT && status != INBOX_STATUS_NOT_KEPT) {
		resp_unexpected(&e);
		end_put(p, &e);
		return;
	}
	metric_add(METRIC_INBOX_DROPPED, resp_number_at(result->reply, INBOX_DROPPED));
	p->is_kept &= status == INBOX_STATUS_KEPT;
	p->has_content = false; /* the other recipients refer to it */
	p->next += p->n;
	if (p->next < p->put.n_recipients)
		put_some(p);
	else
		end_put(p, NULL);
}

struct unput {
	inbox_put_fn *fn;
	void *arg;
};

static void on_put_oom(const struct call_result *result, void *context)
{
	const struct unput *u = context;

	u->fn(false, result->why, u->arg);
}

void inbox_put(struct redis *redis, const struct inbox_put *put, inbox_put_fn *fn, void *arg)
{
	struct unput unput = {fn, arg};
	struct putting *p = calloc(1, sizeof(*p));
	struct err e;

	if (p) {
		*p = (struct putting){
			.redis = redis, .put = *put, .is_kept = true, .fn = fn, .arg = arg};
		if (p->put.mail_len > INBOX_MAIL_BYTES)
			p->put.mail_len = INBOX_MAIL_BYTES;
	}
	if (!p || content_pack(p->put.mail, p->put.mail_len, &p->packed, &e) < 0) {
		if (p)
			buf_deinit(&p->packed);
		free(p);
		redis_call_oom(redis, CALLBACK_COPY(on_put_oom, unput));
		return;
	}
	p->is_large = p->packed.len > CONTENT_CHUNK_BYTES;
	p->has_content = !p->is_large; /* large: only if the store asks for it */
	put_some(p);
}

/* ---- delete ---- */

struct deleting {
	struct redis *redis;
	char project[12], name[INBOX_RECIPIENT_MAX];
	int64_t upto; /* the last entry to delete; 0: that of now */
	inbox_done_fn *fn;
	void *arg;
};

static void delete_some(const struct deleting *d);

static void on_deleted(const struct call_result *result, void *context)
{
	struct deleting *d = context;

	d->upto = resp_number_at(result->reply, INBOX_DELETE_NEXT_UPTO);
	if (d->upto)
		delete_some(d);
	else
		d->fn(result->why, d->arg);
}

static void delete_some(const struct deleting *d)
{
	struct command c = {0};

	script_inbox_delete(&c, INBOX_PARTITION,
			    &(struct script_inbox_delete){.project = d->project,
							  .recipient = d->name,
							  .upto = d->upto,
							  .most = DELETED_MAX});
	redis_call_bulk(d->redis, &c, INBOX_LIMIT_MS, CALLBACK_COPY(on_deleted, *d));
}

void inbox_delete(struct redis *redis, const char *project, const char *recipient,
		  inbox_done_fn *fn, void *arg)
{
	struct deleting d = {.redis = redis, .fn = fn, .arg = arg};

	snprintf(d.project, sizeof(d.project), "%s", project);
	inbox_write_name(recipient, d.name);
	delete_some(&d);
}

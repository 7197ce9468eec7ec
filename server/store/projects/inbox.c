/* The test inbox: what the built-in sink received. */
#include "server/store/projects/inbox.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/redis/command.h"
#include "server/redis/redis.h"
#include "server/store/projects/stored_json.h"

#define PARTITION 0
#define MAILS_MAX 100
#define LIFE_S 86400
#define MAIL_BYTES ((size_t)1 << 20)
#define LIMIT_MS 5000
#define WAITERS_MAX 1000
#define WAIT_MAX_MS 60000
#define POLL_MS 1000

#define RECIPIENT_MAX 256
#define ALL_RECIPIENTS "*"

/* The name of a recipient's list: the address in lower case. */
static void write_name(const char *recipient, char out[RECIPIENT_MAX])
{
	size_t i = 0;

	for (; recipient && recipient[i] && i < RECIPIENT_MAX - 1; i++)
		out[i] = (char)tolower((unsigned char)recipient[i]);
	out[i] = 0;
	if (!recipient)
		snprintf(out, RECIPIENT_MAX, ALL_RECIPIENTS);
}

/* ---- list ---- */

struct list {
	int64_t since_ms;
	inbox_fn *fn;
	void *arg;
};

struct row {
	struct inbox_mail mail;
	json_t *head;
};

/* A line of JSON, then the mail's octets as they were received. */
static int read_mail(const struct resp *array, size_t at, void *out, void *context)
{
	const char *text = resp_text(resp_item(array, at));
	size_t len = resp_len(resp_item(array, at));
	const char *line_end = memchr(text, '\n', len);
	struct row *row = out;
	struct inbox_mail *m = &row->mail;

	(void)context;
	row->head = line_end ? stored_json_load(text, (size_t)(line_end - text)) : NULL;
	if (!row->head)
		return -1;
	stored_json_copy(row->head, "message", m->message, sizeof(m->message));
	m->recipient = stored_json_text(row->head, "recipient");
	m->sender = stored_json_text(row->head, "sender");
	m->received_ms = json_integer_value(json_object_get(row->head, "received_ms"));
	m->mail = line_end + 1;
	m->mail_len = len - (size_t)(m->mail - text);
	return 0;
}

static void on_list(const struct call_result *result, void *context)
{
	static const struct resp_shape shape = {0, 1, sizeof(struct row), read_mail};
	const struct list *l = context;
	struct inbox_mail *mails = NULL;
	struct resp_rows rows = {0};
	struct row *list;
	struct err e;
	size_t n = 0;

	if (resp_read_result(result, &shape, NULL, &rows, &e) == 0) {
		mails = calloc(rows.n + 1, sizeof(*mails));
		if (!mails)
			err_oom(&e);
	}
	list = rows.list;
	for (size_t i = 0; mails && i < rows.n; i++)
		if (list[i].mail.received_ms >= l->since_ms)
			mails[n++] = list[i].mail;
	l->fn(mails, n, mails ? NULL : &e, l->arg);
	for (size_t i = 0; i < rows.n; i++)
		json_decref(list[i].head);
	free(list);
	free(mails);
}

void inbox_list(struct redis *redis, const struct inbox_query *q, inbox_fn *fn, void *arg)
{
	struct list l = {q->since_ms, fn, arg};
	char name[RECIPIENT_MAX];
	struct command c = {0};

	write_name(q->recipient, name);
	command_start(&c, "LRANGE");
	command_key(&c, PARTITION, KEY_INBOX, q->project, name);
	command_num(&c, 0);
	command_num(&c, (int64_t)q->limit - 1);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_list, l));
}

/* ---- wait ---- */

struct waiter {
	struct waiter *next;
	struct waits *all;
	char project[12];
	char name[RECIPIENT_MAX]; /* of its list */
	bool is_of_all;
	size_t limit;
	int64_t since_ms, until_ms;
	bool is_asking;
	bool ask_again; /* a mail was received while it was reading */
	inbox_fn *fn;
	void *arg;
};

struct waits {
	struct redis *redis;
	struct waiter *first;
	size_t n;
	struct loop_timer poll;
	int64_t poll_at; /* monotonic ms; 0 = not planned */
};

static void ask(struct waiter *w);

/* The next poll is within POLL_MS, and not later than the end of the first waiter. A planned poll
 * stays when waiters are added. */
static void plan_poll(struct waits *all)
{
	int64_t now = clock_mono_ms(), at = now + POLL_MS;

	for (const struct waiter *w = all->first; w; w = w->next)
		if (w->until_ms > now && w->until_ms < at)
			at = w->until_ms;
	if (!all->first || (all->poll_at && all->poll_at <= at))
		return;
	all->poll_at = at;
	loop_timer_set(&all->poll, at - now);
}

static void poll_all(void *arg)
{
	struct waits *all = arg;

	for (struct waiter *w = all->first; w; w = w->next)
		ask(w);
	all->poll_at = 0;
	plan_poll(all);
}

/* text: "<project> <name>", the list that has a new mail. */
static bool waits_for(const struct waiter *w, const char *text, size_t len)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "%s %s", w->project, w->is_of_all ? "" : w->name);

	if (n < 0 || (size_t)n > len || memcmp(line, text, (size_t)n) != 0)
		return false;
	return w->is_of_all || (size_t)n == len;
}

/* text NULL: poll all. */
static void on_publish(const char *text, size_t len, void *arg)
{
	struct waits *all = arg;

	for (struct waiter *w = all->first; w; w = w->next)
		if (!text || waits_for(w, text, len))
			ask(w);
}

static void *waits_new(struct redis *redis)
{
	struct waits *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->redis = redis;
	if (loop_timer_init(&all->poll, redis_loop(redis), poll_all, all) < 0) {
		free(all);
		return NULL;
	}
	redis_subscribe(redis, KEY_INBOX_NEWS, on_publish, all);
	return all;
}

static void waits_free(void *state)
{
	struct waits *all = state;

	while (all->first) {
		struct waiter *w = all->first;

		all->first = w->next;
		free(w);
	}
	loop_timer_deinit(&all->poll);
	free(all);
}

static void end_wait(struct waiter *w, const struct inbox_mail *mails, size_t n,
		     const struct err *why)
{
	struct waiter **p = &w->all->first;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	w->all->n--;
	w->fn(mails, n, why, w->arg);
	free(w);
}

static void waits_abandon(void *state)
{
	struct waits *all = state;
	struct err why;

	err_set(&why, ERR_RETRY, "the process is stopping");
	while (all->first)
		end_wait(all->first, NULL, 0, &why);
}

static const struct redis_part_kind waits_kind = {
	.make = waits_new, .abandon = waits_abandon, .free_fn = waits_free};

static void on_looked(const struct inbox_mail *mails, size_t n, const struct err *why, void *arg)
{
	struct waiter *w = arg;

	w->is_asking = false;
	if (n == 0 && clock_mono_ms() < w->until_ms && (!why || why->kind == ERR_RETRY)) {
		if (w->ask_again)
			ask(w);
		return;
	}
	end_wait(w, mails, n, why);
}

static void ask(struct waiter *w)
{
	w->ask_again = w->is_asking;
	if (w->is_asking)
		return;
	w->is_asking = true;
	inbox_list(w->all->redis,
		   &(struct inbox_query){.project = w->project,
					 .recipient = w->is_of_all ? NULL : w->name,
					 .limit = w->limit,
					 .since_ms = w->since_ms},
		   on_looked, w);
}

static void waiter_init(struct waiter *w, const struct inbox_query *q, int64_t wait_ms)
{
	snprintf(w->project, sizeof(w->project), "%s", q->project);
	write_name(q->recipient, w->name);
	w->is_of_all = !q->recipient;
	w->limit = q->limit;
	w->since_ms = q->since_ms;
	w->until_ms = clock_mono_ms() + (wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms);
}

void inbox_wait(struct redis *redis, const struct inbox_query *q, int64_t wait_ms, inbox_fn *fn,
		void *arg)
{
	struct waits *all = redis_part(redis, &waits_kind);
	struct waiter *w;

	w = all && wait_ms > 0 && all->n < WAITERS_MAX ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		inbox_list(redis, q, fn, arg);
		return;
	}
	waiter_init(w, q, wait_ms);
	w->all = all;
	w->fn = fn;
	w->arg = arg;
	w->next = all->first;
	all->first = w;
	all->n++;
	ask(w);
	plan_poll(all);
}

/* ---- put, delete ---- */

struct done {
	inbox_done_fn *fn;
	void *arg;
};

static void on_done(const struct call_result *result, void *context)
{
	const struct done *p = context;

	p->fn(result->why, p->arg);
}

/* A line of JSON, then the mail. */
static void write_entry(const struct inbox_mail *m, struct buf *entry)
{
	size_t len = m->mail_len > MAIL_BYTES ? MAIL_BYTES : m->mail_len;
	json_t *head =
		json_pack("{s:s, s:s, s:s, s:I}", "message", m->message, "recipient", m->recipient,
			  "sender", m->sender, "received_ms", (json_int_t)m->received_ms);
	char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;

	buf_fmt(entry, "%s\n", text ? text : "");
	buf_append(entry, m->mail, len);
	entry->failed |= !text;
	free(text);
	json_decref(head);
}

void inbox_put(struct redis *redis, const char *project, const struct inbox_mail *m,
	       inbox_done_fn *fn, void *arg)
{
	struct done p = {fn, arg};
	char name[RECIPIENT_MAX];
	struct command c = {0};
	struct buf entry = {0};

	write_name(m->recipient, name);
	write_entry(m, &entry);
	script_inbox(&c, PARTITION,
		     &(struct script_inbox){
			     .project = project,
			     .recipient = name,
			     .entry = entry.data,
			     .entry_len = entry.len,
			     .most = MAILS_MAX,
			     .life_s = LIFE_S,
		     });
	c.bytes.failed |= entry.failed; /* out of memory: ends as such */
	buf_deinit(&entry);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_done, p));
}

void inbox_delete(struct redis *redis, const char *project, const char *recipient,
		  inbox_done_fn *fn, void *arg)
{
	struct done d = {fn, arg};
	char name[RECIPIENT_MAX] = "";
	struct command c = {0};

	if (recipient)
		write_name(recipient, name);
	script_inbox_delete(&c, PARTITION,
			    &(struct script_inbox_delete){.project = project, .recipient = name});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_done, d));
}

/* What Postern stored, read back from any replies of Redis: keys, projects, suppressions, webhooks,
 * the inbox, jobs, records, logs and lists. Each read ends exactly once, and what it gives can be
 * read.
 *
 * Input: the first octet selects the read. The replies follow, one after the other. An item is
 * "$text", ":number", "-" (nil) or "(" items ")"; the octet 0x1e ends a text or a number. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/config/config.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/messages/event_log.h"
#include "server/store/messages/list.h"
#include "server/store/messages/messages.h"
#include "server/store/messages/transcripts.h"
#include "server/store/projects/deliveries.h"
#include "server/store/projects/inbox.h"
#include "server/store/projects/keys.h"
#include "server/store/projects/projects.h"
#include "server/store/projects/suppressions.h"
#include "server/store/queue/take.h"

#define PARTITIONS 2
#define DEPTH_MAX 6
#define CALLS_MAX 4096
#define PARTS_MAX 4
#define END_OF_ITEM 0x1e
#define MESSAGE "msg_01J00000000000000000000000"

static struct redis *const redis = (struct redis *)(void *)&redis;
static const struct config config = {.retention_s = 259200, .site_connections = 20};
static const char *input, *input_end;
static unsigned n_ended;

static void require(int claim)
{
	if (!claim)
		abort();
}

static void use(const char *text, size_t len)
{
	volatile unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (unsigned char)text[i];
	(void)sum;
}

static void use_text(const char *text)
{
	require(text != NULL);
	use(text, strlen(text));
}

static void end(int has_result, const struct err *why)
{
	n_ended++;
	require(has_result || why);
	if (why)
		use_text(why->text);
}

/* ---- replies ---- */

static size_t write_items(struct buf *out, int depth);

static void write_item(struct buf *out, int depth)
{
	const char *text = input + 1, *p = text;
	struct buf items = {0};
	char kind = *input;

	if (kind == '(' && depth < DEPTH_MAX) {
		input++;
		buf_fmt(out, "*%zu\r\n", write_items(&items, depth + 1));
		buf_append(out, items.data, items.len);
		buf_deinit(&items);
		return;
	}
	while (p < input_end && *p != END_OF_ITEM && kind != '-')
		p++;
	input = p < input_end && kind != '-' ? p + 1 : p;
	if (kind == ':') {
		char number[24] = "";

		memcpy(number, text, (size_t)(p - text) < 18 ? (size_t)(p - text) : 18);
		buf_fmt(out, ":%lld\r\n", strtoll(number, NULL, 10));
	} else if (kind == '-') {
		buf_str(out, "$-1\r\n");
	} else {
		buf_fmt(out, "$%zu\r\n", (size_t)(p - text));
		buf_append(out, text, (size_t)(p - text));
		buf_str(out, "\r\n");
	}
}

/* Returns the number of items. */
static size_t write_items(struct buf *out, int depth)
{
	size_t n = 0;

	for (; input < input_end && *input != ')'; n++)
		write_item(out, depth);
	if (input < input_end)
		input++;
	return n;
}

/* NULL: the input is used up. */
static redisReply *next_reply(void)
{
	redisReader *reader = redisReaderCreate();
	struct buf text = {0};
	void *reply = NULL;

	if (input < input_end)
		write_item(&text, 0);
	redisReaderFeed(reader, buf_text(&text), text.len);
	require(redisReaderGetReply(reader, &reply) == REDIS_OK);
	redisReaderFree(reader);
	buf_deinit(&text);
	return reply;
}

/* ---- the client of Redis: each call gets the next reply after the function has returned ---- */

struct call {
	call_fn *fn;
	void *context;
	int is_copy;
};
static struct call calls[CALLS_MAX];
static size_t n_calls;
static struct part {
	const struct redis_part_kind *kind;
	void *state;
} parts[PARTS_MAX];
static size_t n_parts;

void __wrap_redis_call(struct redis *r, struct command *take, unsigned connection, int64_t limit_ms,
		       struct callback back);
void __wrap_redis_call_bulk(struct redis *r, struct command *take, int64_t limit_ms,
			    struct callback back);
unsigned __wrap_redis_partitions(const struct redis *r);
void *__wrap_redis_part(struct redis *r, const struct redis_part_kind *kind);
const struct config *__wrap_redis_config(const struct redis *r);
unsigned __wrap_redis_spread(const struct redis *r);
int64_t __wrap_redis_clock_offset_ms(const struct redis *r, unsigned partition);
void __wrap_redis_saw_time(struct redis *r, unsigned partition, int64_t redis_ms);
bool __wrap_redis_partition_is_connected(const struct redis *r, unsigned partition);
bool __wrap_redis_partition_is_first(const struct redis *r, unsigned partition);

void __wrap_redis_call(struct redis *r, struct command *take, unsigned connection, int64_t limit_ms,
		       struct callback back)
{
	struct call *c = &calls[n_calls++];

	(void)r;
	(void)connection;
	(void)limit_ms;
	require(n_calls < CALLS_MAX);
	command_deinit(take);
	*c = (struct call){back.fn, (void *)(uintptr_t)back.context, back.size > 0};
	if (!c->is_copy)
		return;
	c->context = malloc(back.size);
	require(c->context != NULL);
	memcpy(c->context, back.context, back.size);
}

unsigned __wrap_redis_partitions(const struct redis *r)
{
	(void)r;
	return PARTITIONS;
}

void __wrap_redis_call_bulk(struct redis *r, struct command *take, int64_t limit_ms,
			    struct callback back)
{
	__wrap_redis_call(r, take, 0, limit_ms, back);
}

void *__wrap_redis_part(struct redis *r, const struct redis_part_kind *kind)
{
	for (size_t i = 0; i < n_parts; i++)
		if (parts[i].kind == kind)
			return parts[i].state;
	require(n_parts < PARTS_MAX);
	parts[n_parts] = (struct part){kind, kind->make(r)};
	return parts[n_parts++].state;
}

static void free_parts(void)
{
	for (size_t i = 0; i < n_parts; i++)
		parts[i].kind->free_fn(parts[i].state);
	n_parts = 0;
}

const struct config *__wrap_redis_config(const struct redis *r)
{
	(void)r;
	return &config;
}

unsigned __wrap_redis_spread(const struct redis *r)
{
	(void)r;
	return PARTITIONS;
}

int64_t __wrap_redis_clock_offset_ms(const struct redis *r, unsigned partition)
{
	(void)r;
	(void)partition;
	return 0;
}

void __wrap_redis_saw_time(struct redis *r, unsigned partition, int64_t redis_ms)
{
	(void)r;
	(void)partition;
	(void)redis_ms;
}

bool __wrap_redis_partition_is_connected(const struct redis *r, unsigned partition)
{
	(void)r;
	(void)partition;
	return true;
}

bool __wrap_redis_partition_is_first(const struct redis *r, unsigned partition)
{
	(void)r;
	return partition == 0;
}

static void end_call(struct call c)
{
	redisReply *reply = next_reply();
	struct call_result result = {CALL_ANSWERED, (const struct resp *)reply, NULL};
	struct err why;

	if (!reply) {
		err_set(&why, ERR_RETRY, "no reply");
		result = (struct call_result){CALL_UNKNOWN, NULL, &why};
	}
	c.fn(&result, c.context);
	if (reply)
		freeReplyObject(reply);
	if (c.is_copy)
		free(c.context);
}

/* A callback may make further calls. */
static void run_calls(void)
{
	for (size_t i = 0; i < n_calls; i++)
		end_call(calls[i]);
	n_calls = 0;
}

/* ---- reads: each uses all that it gets ---- */

static void on_key(const struct key *key, const struct err *why, void *arg)
{
	(void)arg;
	end(key != NULL, why);
	if (!key)
		return;
	use_text(key->tenant);
	use_text(key->name);
}

static void read_key(void)
{
	keys_find(redis, "pn_live_x", 9, on_key, NULL);
}

static void on_keys(const struct key *list, size_t n, const struct err *why, void *arg)
{
	(void)arg;
	end(list != NULL, why);
	for (size_t i = 0; list && i < n; i++)
		use_text(list[i].project_id);
}

static void read_keys(void)
{
	keys_list(redis, &(struct keys_of){"default", NULL}, on_keys, NULL);
}

static void on_projects(const struct project *list, size_t n, const struct err *why, void *arg)
{
	(void)arg;
	end(list != NULL, why);
	for (size_t i = 0; list && i < n; i++)
		use_text(list[i].name);
}

static void read_projects(void)
{
	projects_list(redis, on_projects, NULL);
}

static void on_suppression(const struct suppression *entry, bool is_new, const struct err *why,
			   void *arg)
{
	(void)is_new;
	(void)arg;
	end(entry != NULL, why);
	if (entry) {
		use_text(entry->reason);
		use_text(entry->message);
	}
}

static void read_suppression(void)
{
	suppressions_get(redis, "1", "Ada@a.example", on_suppression, NULL);
}

static void add_suppression(void)
{
	suppressions_add(redis, "1", "Ada@a.example", on_suppression, NULL);
}

static void on_suppressions(const struct suppression *entries, size_t n, const struct err *why,
			    void *arg)
{
	(void)arg;
	end(entries != NULL, why);
	for (size_t i = 0; entries && i < n; i++) {
		use_text(entries[i].email);
		use_text(entries[i].reason);
	}
}

static void read_suppressions(void)
{
	suppressions_list(redis, "1", &(struct suppressions_place){0, 0}, 10, on_suppressions,
			  NULL);
}

static void use_endpoint(const struct endpoint *e)
{
	use_text(e->url);
	use_text(e->description);
	use_text(e->secret);
	use_text(e->disabled_reason);
	require(json_is_array(e->events));
}

static void on_endpoints(const struct endpoint *list, size_t n, const struct err *why, void *arg)
{
	(void)arg;
	end(list != NULL, why);
	for (size_t i = 0; list && i < n; i++)
		use_endpoint(&list[i]);
}

static void read_endpoints(void)
{
	endpoints_list(redis, "1", on_endpoints, NULL);
}

static void read_endpoint(void)
{
	endpoints_get(redis, "1", "whk_1", on_endpoints, NULL);
}

static void on_deliveries(json_t *list, const struct err *why, void *arg)
{
	(void)arg;
	end(1, why);
	if (list)
		endpoint_test_refusal(list);
}

static void read_deliveries(void)
{
	endpoints_deliveries(redis, "whk_1", false, on_deliveries, NULL);
}

static void read_test(void)
{
	endpoints_get_test(redis, "evt_1", on_deliveries, NULL);
}

static void on_loaded(struct deliveries_endpoint *list, size_t n, int64_t version,
		      const struct err *why, void *arg)
{
	(void)version;
	(void)arg;
	end(1, why);
	for (size_t i = 0; list && i < n; i++) {
		use_endpoint(&list[i].endpoint);
		use_text(list[i].project_id);
		require(list[i].done != NULL);
	}
}

static void load_endpoints(void)
{
	deliveries_load(redis, 0, on_loaded, NULL);
}

static void on_inbox(const struct inbox_page *page, const struct err *why, void *arg)
{
	(void)arg;
	end(page != NULL, why);
	for (size_t i = 0; page && i < page->n; i++) {
		use_text(page->mails[i].recipient);
		use_text(page->mails[i].sender);
		use(page->mails[i].mail, page->mails[i].mail_len);
	}
}

static void read_inbox(void)
{
	inbox_list(redis, &(struct inbox_query){.project = "1t", .limit = 10}, on_inbox, NULL);
}

static void use_record(const struct record *r)
{
	use_text(record_status(r));
	use_text(r->facts);
}

static void on_message(const struct record *record, const struct err *why, void *arg)
{
	(void)arg;
	end(record != NULL, why);
	if (record)
		use_record(record);
}

static void read_message(void)
{
	messages_get(redis, "1", MESSAGE, on_message, NULL);
}

static void on_attempts(const struct record *record, const struct transcripts_one *attempts,
			size_t n, const struct err *why, void *arg)
{
	(void)arg;
	end(record != NULL, why);
	for (size_t i = 0; record && i < n; i++)
		if (attempts[i].transcript)
			use(attempts[i].transcript, attempts[i].transcript_len);
}

static void read_attempts(void)
{
	transcripts_get(redis, "1", MESSAGE, on_attempts, NULL);
}

static void on_log(const struct event_log_page *page, const struct err *why, void *arg)
{
	(void)arg;
	end(page != NULL, why);
	for (size_t i = 0; page && i < page->n_events; i++) {
		require(page->events[i].entry < page->n_entries);
		require(!page->events[i].record == !page->events[i].event);
		use_text(page->events[i].message);
	}
}

static void read_log(void)
{
	struct event_log_from from[PARTITIONS] = {{.partition = 0}, {.partition = 1}};

	event_log_read(redis, "1", from, PARTITIONS, 10, on_log, NULL);
}

static void on_list(const struct list_page *page, const struct err *why, void *arg)
{
	(void)arg;
	end(page != NULL, why);
	for (size_t i = 0; page && i < page->n; i++) {
		require(page->items[i].partition < PARTITIONS);
		use_record(&page->items[i].record);
	}
}

static void read_list(void)
{
	struct list_query q = {.project = "1", .max = 10};
	struct cursor_position positions[PARTITIONS] = {0};

	list_begin(redis, &q, positions, PARTITIONS);
	list_read(redis, &q, positions, PARTITIONS, on_list, NULL);
}

static void on_taken(const struct take_result *result, void *arg)
{
	(void)arg;
	n_ended++;
	for (size_t i = 0; result && i < result->n_slots; i++)
		use_text(result->slots[i].site);
	for (size_t i = 0; result && i < result->n_jobs; i++) {
		struct job *j = result->jobs[i];

		use_text(j->site);
		use_record(&j->record);
		if (j->mail)
			use(j->mail, j->mail_len);
		job_free(j);
	}
}

static void take(void)
{
	take_jobs(redis, "owner", 0, &(struct take_request){.max_jobs = 10}, on_taken, NULL);
}

static void (*const reads[])(void) = {
	read_key,          read_keys,      read_projects, read_suppression, add_suppression,
	read_suppressions, read_endpoints, read_endpoint, read_deliveries,  read_test,
	load_endpoints,    read_inbox,     read_message,  read_attempts,    read_log,
	read_list,         take,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	log_init(LOG_ERROR + 1, LOG_FORMAT_TEXT, "fuzz");
	input = (const char *)data + 1;
	input_end = (const char *)data + size;
	n_ended = 0;
	reads[data[0] % (sizeof(reads) / sizeof(*reads))]();
	run_calls();
	free_parts();
	require(n_ended == 1);
	return 0;
}

/* Shows what the store has of a message. */
#include "server/store/messages/dump.h"

#include <stdlib.h>

#include "lua_calls.h"
#include "server/base/id.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000

struct dump {
	dump_fn *fn;
	void *arg;
};

static void on_texts(const struct call_result *result, void *context)
{
	const struct dump *d = context;
	size_t n = resp_count(result->reply);
	const char **texts = calloc(n + 1, sizeof(*texts));
	struct err why = {0};

	for (size_t i = 0; texts && i < n; i++)
		texts[i] = resp_text(resp_item(result->reply, i));
	if (result->end != CALL_ANSWERED)
		why = *result->why;
	else if (!texts)
		err_oom(&why);
	else if (n == 0)
		err_set(&why, ERR_NOT_FOUND, "No message has this id.");
	d->fn(why.kind ? NULL : texts, n, why.kind ? &why : NULL, d->arg);
	free(texts);
}

void dump_message(struct redis *redis, const char *id, dump_fn *fn, void *arg)
{
	struct dump d = {fn, arg};
	struct command c = {0};

	script_dump(&c, id_partition(id), &(struct script_dump){.id = id});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_texts, d));
}

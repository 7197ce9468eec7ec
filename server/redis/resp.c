/* Reads replies of Redis. */
#include "server/redis/resp.h"

#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "server/redis/callback.h"

static const redisReply *raw(const struct resp *r)
{
	return (const redisReply *)r;
}

static bool has_type(const struct resp *r, int type)
{
	return r && raw(r)->type == type;
}

bool resp_is_array(const struct resp *r)
{
	return has_type(r, REDIS_REPLY_ARRAY);
}

bool resp_is_text(const struct resp *r)
{
	return has_type(r, REDIS_REPLY_STRING);
}

bool resp_is_number(const struct resp *r)
{
	return has_type(r, REDIS_REPLY_INTEGER);
}

bool resp_is_nil(const struct resp *r)
{
	return has_type(r, REDIS_REPLY_NIL);
}

size_t resp_count(const struct resp *r)
{
	return resp_is_array(r) ? raw(r)->elements : 0;
}

const struct resp *resp_item(const struct resp *r, size_t i)
{
	return i < resp_count(r) ? (const struct resp *)raw(r)->element[i] : NULL;
}

const char *resp_text(const struct resp *r)
{
	return resp_is_text(r) ? raw(r)->str : "";
}

size_t resp_len(const struct resp *r)
{
	return resp_is_text(r) ? raw(r)->len : 0;
}

int64_t resp_number(const struct resp *r)
{
	return resp_is_number(r) ? raw(r)->integer : 0;
}

int64_t resp_number_at(const struct resp *r, size_t i)
{
	return resp_number(resp_item(r, i));
}

int64_t resp_time_ms(const struct resp *r)
{
	int64_t s = strtoll(resp_text(resp_item(r, 0)), NULL, 10);
	int64_t us = strtoll(resp_text(resp_item(r, 1)), NULL, 10);

	return s > 0 && s <= UINT32_MAX && us >= 0 && us < 1000000 ? s * 1000 + us / 1000 : 0;
}

int resp_unexpected(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "Redis sent an unexpected reply");
}

static void drop_rows(const struct resp_shape *shape, char *list, size_t n)
{
	for (size_t i = 0; shape->drop && i < n; i++)
		shape->drop(list + i * shape->size);
	free(list);
}

int resp_read_rows(const struct resp *array, const struct resp_shape *shape, void *context,
		   struct resp_rows *out, struct err *e)
{
	size_t count = resp_count(array);
	size_t most = count > shape->first ? (count - shape->first) / shape->width : 0, n = 0;
	char *list;

	if (!resp_is_array(array))
		return resp_unexpected(e);
	list = calloc(most + 1, shape->size);
	if (!list)
		return err_oom(e);
	for (size_t i = 0; i < most; i++) {
		int rc = shape->read(array, shape->first + i * shape->width, list + n * shape->size,
				     context);

		if (rc == RESP_ROW_OOM) {
			drop_rows(shape, list, n);
			return err_oom(e);
		}
		n += rc == 0;
	}
	*out = (struct resp_rows){list, n};
	return 0;
}

int resp_read_result(const struct call_result *result, const struct resp_shape *shape,
		     void *context, struct resp_rows *out, struct err *e)
{
	if (result->end == CALL_ANSWERED)
		return resp_read_rows(result->reply, shape, context, out, e);
	*e = *result->why;
	return -1;
}

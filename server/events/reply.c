/* SMTP replies as JSON. */
#include "server/events/reply.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/base/json_text.h"
#include "server/route/bounce.h"
#include "server/route/enhanced.h"

static int put(json_t *object, const char *name, json_t *take_value)
{
	return json_object_set_new(object, name, take_value);
}

static int put_text(json_t *object, bool is_remote, const char *text)
{
	if (put(object, "text", json_text(text, strlen(text))) < 0)
		return -1;
	return put(object, "source", json_string(is_remote ? "remote" : "local"));
}

int reply_put(json_t *object, int code, const char *text)
{
	if (code && put(object, "code", json_integer(code)) < 0)
		return -1;
	return put_text(object, code != 0, text);
}

json_t *reply_json(int code, const char *text)
{
	json_t *object = json_object();

	if (reply_put(object, code, text) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static int put_codes(json_t *object, int code, const char *text)
{
	struct enhanced e;
	char enhanced[40];

	if (code && put(object, "smtp_code", json_integer(code)) < 0)
		return -1;
	if (!enhanced_parse(text, strlen(text), &e))
		return 0;
	snprintf(enhanced, sizeof(enhanced), "%d.%d.%d", e.class, e.subject, e.detail);
	return put(object, "enhanced_code", json_string(enhanced));
}

json_t *reply_bounce_json(int code, const char *text, bool is_suppressed)
{
	const char *class = bounce_is_recipient(code, text) ? "recipient" : "unknown";
	json_t *object = json_pack("{s:s, s:b, s:b}", "class", class, "is_permanent", 1,
				   "is_suppressed", is_suppressed);

	if (object && put_codes(object, code, text) == 0 && put_text(object, code != 0, text) == 0)
		return object;
	json_decref(object);
	return NULL;
}

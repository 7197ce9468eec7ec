/* Fills errors. */
#include "server/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	e->kind = kind;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

static const char OOM[] = "out of memory";

int err_oom(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "%s", OOM);
}

bool err_is_oom(const struct err *e)
{
	return e->kind == ERR_INTERNAL && strcmp(e->text, OOM) == 0;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;
	size_t len;

	if (!e)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ": %s", e->text);
	memcpy(e->text, text, sizeof(text));
	return -1;
}

/* Commands for Redis as RESP. */
#include "server/redis/link/command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/id.h"
#include "server/redis/link/script.h"

#define WAIT_MS "2000"
#define ARG_FRAME 25    /* "$", 20 digits, and two line ends */
#define COMMAND_HEAD 16 /* "*4294967295\r\n", right-aligned */

void command_start(struct command *c, const char *name)
{
	static const char room[COMMAND_HEAD];

	c->n = 0;
	c->is_placed = false;
	c->partition = 0;
	buf_reset(&c->bytes);
	buf_append(&c->bytes, room, sizeof(room));
	command_str(c, name);
}

void command_to(struct command *c, unsigned partition)
{
	c->is_placed = true;
	c->partition = partition;
}

void command_script(struct command *c, enum script script, unsigned partition)
{
	command_start(c, "FCALL");
	command_str(c, script_function(script));
	command_str(c, "1");
	command_key(c, partition, "%s", "");
}

/* Writes n in decimal and returns its end. Not printf, because each message has ten numbers. */
static char *put_number(char *to, size_t n)
{
	char digits[20];
	size_t len = 0;

	do
		digits[len++] = (char)('0' + n % 10);
	while (n /= 10);
	while (len > 0)
		*to++ = digits[--len];
	return to;
}

static char *put_line_end(char *to)
{
	*to++ = '\r';
	*to++ = '\n';
	return to;
}

void command_arg(struct command *c, const void *bytes, size_t len)
{
	struct buf *b = &c->bytes;
	char *start = len < SIZE_MAX / 2 ? buf_reserve(b, ARG_FRAME + len) : NULL, *to = start;

	c->n++;
	if (!to) {
		b->failed = true;
		return;
	}
	*to++ = '$';
	to = put_line_end(put_number(to, len));
	if (len)
		memcpy(to, bytes, len);
	to = put_line_end(to + len);
	*to = 0;
	b->len += (size_t)(to - start);
}

void command_str(struct command *c, const char *text)
{
	command_arg(c, text, strlen(text));
}

void command_num(struct command *c, int64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRId64, n);

	command_arg(c, text, (size_t)len);
}

#define ROOT_BEGIN "pn:{p"

unsigned command_root_partition(const char *key)
{
	bool has_root = strncmp(key, ROOT_BEGIN, strlen(ROOT_BEGIN)) == 0;

	return has_root ? (unsigned)strtoul(key + strlen(ROOT_BEGIN), NULL, 10) % ID_PARTITIONS : 0;
}

size_t command_root(unsigned partition, char root[COMMAND_ROOT_MAX])
{
	if (partition == REDIS_GLOBAL)
		return (size_t)snprintf(root, COMMAND_ROOT_MAX, "pn:{g}:");
	return (size_t)snprintf(root, COMMAND_ROOT_MAX, ROOT_BEGIN "%u}:", partition);
}

void command_key(struct command *c, unsigned partition, const char *fmt, ...)
{
	char key[1024];
	va_list ap;
	size_t root = command_root(partition, key);
	int rest;

	va_start(ap, fmt);
	rest = vsnprintf(key + root, sizeof(key) - root, fmt, ap);
	va_end(ap);
	if (rest < 0 || root + (size_t)rest >= sizeof(key) ||
	    (c->is_placed && c->partition != partition)) {
		c->bytes.failed = true; /* a truncated key would be another key */
		return;
	}
	c->is_placed = true;
	c->partition = partition;
	command_arg(c, key, root + (size_t)rest);
}

void command_args(struct command *c)
{
	c->n = 0;
	buf_reset(&c->bytes);
}

void command_reserve(struct command *c, size_t len)
{
	buf_reserve(&c->bytes, len);
}

void command_append(struct command *c, const struct command *args)
{
	if (args->bytes.failed)
		c->bytes.failed = true;
	buf_append(&c->bytes, args->bytes.data, args->bytes.len);
	c->n += args->n;
}

const char *command_finish(struct command *c, size_t *len)
{
	char head[COMMAND_HEAD + 1];
	int n;
	char *start;

	if (c->bytes.failed)
		return NULL;
	n = snprintf(head, sizeof(head), "*%u\r\n", c->n);
	start = c->bytes.data + COMMAND_HEAD - n;
	memcpy(start, head, (size_t)n);
	*len = c->bytes.len - (size_t)(COMMAND_HEAD - n);
	return start;
}

void command_auth(struct command *c, const char *user, const char *password)
{
	command_start(c, "AUTH");
	if (*user)
		command_str(c, user);
	command_str(c, password);
}

void command_wait(struct command *c)
{
	command_start(c, "WAIT");
	command_str(c, "1");
	command_str(c, WAIT_MS);
}

void command_deinit(struct command *c)
{
	buf_deinit(&c->bytes);
	c->n = 0;
}

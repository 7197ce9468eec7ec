/* Distinguishes an unfinished write at the end of Redis's append-only file from other damage. */
#include "server/supervisor/aof_tail.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define NUMBER_DIGITS_MAX 10
#define NAME_MAX_BYTES 8 /* we look for shorter names only */

enum step { STEP_WHOLE, STEP_CUT_OFF, STEP_MALFORMED };

struct reader {
	const char *at, *end;
};

struct name {
	char text[NAME_MAX_BYTES + 1]; /* "" = longer */
};

static enum step read_octet(struct reader *r, char expected)
{
	if (r->at == r->end)
		return STEP_CUT_OFF;
	return *r->at++ == expected ? STEP_WHOLE : STEP_MALFORMED;
}

static enum step read_line_end(struct reader *r)
{
	enum step step = read_octet(r, '\r');

	return step == STEP_WHOLE ? read_octet(r, '\n') : step;
}

/* mark, digits, CRLF */
static enum step read_number(struct reader *r, char mark, size_t *number)
{
	enum step step = read_octet(r, mark);
	size_t n = 0, digits = 0;

	for (; step == STEP_WHOLE && r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
		n = n * 10 + (size_t)(*r->at - '0');
		if (++digits > NUMBER_DIGITS_MAX)
			step = STEP_MALFORMED;
	}
	if (step == STEP_WHOLE && !digits && r->at < r->end)
		step = STEP_MALFORMED;
	*number = n;
	return step == STEP_WHOLE ? read_line_end(r) : step;
}

static enum step read_argument(struct reader *r, struct name *name)
{
	size_t len;
	enum step step = read_number(r, '$', &len);

	if (step != STEP_WHOLE)
		return step;
	if (len > (size_t)(r->end - r->at))
		return STEP_CUT_OFF;
	*name = (struct name){""};
	if (len <= NAME_MAX_BYTES)
		memcpy(name->text, r->at, len);
	r->at += len;
	return read_line_end(r);
}

static enum step read_command(struct reader *r, struct name *name)
{
	struct name argument;
	size_t count;
	enum step step = read_number(r, '*', &count);

	*name = (struct name){""};
	for (size_t i = 0; i < count && step == STEP_WHOLE; i++) {
		step = read_argument(r, &argument);
		if (i == 0 && step == STEP_WHOLE)
			*name = argument;
	}
	return step;
}

static enum step skip_annotations(struct reader *r)
{
	while (r->at < r->end && *r->at == '#') {
		const char *line_end = memchr(r->at, '\n', (size_t)(r->end - r->at));

		if (!line_end)
			return STEP_CUT_OFF;
		r->at = line_end + 1;
	}
	return r->at < r->end ? STEP_WHOLE : STEP_CUT_OFF;
}

/* True if from some line on, all bytes up to the end of the file are whole commands. Then they are
 * later writes, and a length before them is damaged. Text of a user can also look like commands,
 * but it ends exactly with the file only if the power failed at that octet. In this case the log is
 * refused without need, and nothing is lost. */
static bool has_later_writes(const char *from, const char *end)
{
	const char *at = from;
	struct name name;

	while ((at = memchr(at, '*', (size_t)(end - at)))) {
		struct reader r = {at, end};
		enum step step = STEP_WHOLE;

		if (at - from < 2 || at[-1] != '\n' || at[-2] != '\r') {
			at++;
			continue;
		}
		while (step == STEP_WHOLE && r.at < r.end)
			step = read_command(&r, &name);
		if (step == STEP_WHOLE)
			return true;
		at = r.at > at ? r.at : at + 1; /* each octet is read about once */
	}
	return false;
}

static bool is_named(const struct name *name, const char *text)
{
	return strcasecmp(name->text, text) == 0;
}

/* number: index of the command in the tail. After a restart, Redis would have written another
 * MULTI, or SELECT at another place. With EXEC the transaction would be complete. */
static bool may_be_unfinished(const struct name *name, size_t number)
{
	if (number == 0)
		return is_named(name, "MULTI");
	if (is_named(name, "SELECT"))
		return number == 1;
	return !is_named(name, "MULTI") && !is_named(name, "EXEC");
}

enum aof_tail aof_tail_check(const char *bytes, size_t len)
{
	struct reader r = {bytes, bytes + len};
	struct name name;

	while (r.end > r.at && r.end[-1] == 0)
		r.end--;
	for (size_t number = 0;; number++) {
		enum step step = skip_annotations(&r);
		const char *command = r.at;

		if (step == STEP_WHOLE)
			step = read_command(&r, &name);
		if (step == STEP_CUT_OFF)
			return has_later_writes(command, r.end) ? AOF_TAIL_DAMAGED
								: AOF_TAIL_UNFINISHED;
		if (step == STEP_MALFORMED || !may_be_unfinished(&name, number))
			return AOF_TAIL_DAMAGED;
	}
}

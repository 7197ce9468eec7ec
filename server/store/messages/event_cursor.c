/* Positions in the event log of a project. */
#include "server/store/messages/event_cursor.h"

#include <limits.h>
#include <string.h>

#include "server/store/messages/cursor.h"

#define NUMBER_DIGITS 11 /* base 36: more than 2^56 */
#define SMALL_DIGITS 5

void event_cursor_write(const struct event_cursor *c, struct buf *out)
{
	cursor_put_number(out, c->at.ms);
	buf_char(out, '_');
	cursor_put_number(out, c->at.seq);
	buf_char(out, '_');
	cursor_put_number(out, c->partition);
	buf_char(out, '_');
	cursor_put_number(out, c->lines);
}

static int read_numbers(const char *text, int64_t numbers[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0 && *text++ != '_')
			return -1;
		if (cursor_take_number(&text, i < 2 ? NUMBER_DIGITS : SMALL_DIGITS, &numbers[i]) <
		    0)
			return -1;
	}
	return *text ? -1 : 0;
}

/* A position has exactly one text. Another text was not written by event_cursor_write. */
static bool is_text_of(const struct event_cursor *c, const char *text)
{
	struct buf again = {0};
	bool is_same;

	event_cursor_write(c, &again);
	is_same = !again.failed && strcmp(buf_text(&again), text) == 0;
	buf_deinit(&again);
	return is_same;
}

int event_cursor_read(const char *text, unsigned partitions, struct event_cursor *c)
{
	struct event_cursor read;
	int64_t n[4];

	if (read_numbers(text, n) < 0 || n[2] >= partitions)
		return -1;
	read = (struct event_cursor){{n[0], n[1]}, (unsigned)n[2], (unsigned)n[3]};
	if (!is_text_of(&read, text))
		return -1;
	*c = read;
	return 0;
}

struct event_log_from event_cursor_from(const struct event_cursor *c, unsigned partition)
{
	bool is_read = partition < c->partition || (partition == c->partition && c->lines == 0);

	return (struct event_log_from){partition, c->at, is_read};
}

struct event_cursor event_cursor_after(const struct event_log_entry *entry, unsigned lines)
{
	return (struct event_cursor){entry->at, entry->partition,
				     lines < entry->n_lines ? lines : 0};
}

bool event_cursor_move(struct event_cursor *c, const struct event_cursor *to)
{
	unsigned now = c->lines ? c->lines : UINT_MAX, then = to->lines ? to->lines : UINT_MAX;
	int way = event_log_place_compare(&to->at, &c->at);

	if (way == 0 && to->partition != c->partition)
		way = to->partition < c->partition ? -1 : 1;
	if (way < 0 || (way == 0 && then <= now))
		return false;
	*c = *to;
	return true;
}

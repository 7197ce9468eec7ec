/* Pagination cursors. */
#include "server/store/messages/cursor.h"

#include <stdlib.h>
#include <string.h>

#define BASE 36
#define NUMBER_MAX 13 /* digits of INT64_MAX */

void cursor_put_number(struct buf *out, int64_t n)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char text[NUMBER_MAX];
	size_t at = sizeof(text);

	do {
		text[--at] = digits[n % BASE];
		n /= BASE;
	} while (n > 0);
	buf_append(out, text + at, sizeof(text) - at);
}

void cursor_write(const struct cursor_position *positions, unsigned n, struct buf *out)
{
	int64_t latest = 0;

	for (unsigned i = 0; i < n; i++)
		if (positions[i].at > latest)
			latest = positions[i].at;
	cursor_put_number(out, latest);
	for (unsigned i = 0; i < n; i++) {
		const struct cursor_position *p = &positions[i];

		buf_char(out, '_');
		if (!p->at)
			continue;
		cursor_put_number(out, latest - p->at);
		if (p->index || p->part) {
			buf_char(out, '.');
			cursor_put_number(out, p->index);
		}
		if (p->part) {
			buf_char(out, '.');
			cursor_put_number(out, p->part);
		}
	}
}

int cursor_take_number(const char **text, size_t max, int64_t *n)
{
	size_t len = strspn(*text, "0123456789abcdefghijklmnopqrstuvwxyz");

	if (len == 0 || len > max)
		return -1;
	*n = strtoll(*text, NULL, BASE);
	*text += len;
	return 0;
}

static int read_position(const char **text, int64_t latest, struct cursor_position *p)
{
	int64_t before, part = 0;

	if (**text == '_' || !**text)
		return 0;
	if (cursor_take_number(text, 11, &before) < 0 || before >= latest)
		return -1;
	p->at = latest - before;
	if (**text == '.') {
		++*text;
		if (cursor_take_number(text, 11, &p->index) < 0)
			return -1;
	}
	if (**text == '.') {
		++*text;
		if (cursor_take_number(text, 5, &part) < 0)
			return -1;
	}
	p->part = (unsigned)part;
	return 0;
}

static int read_all(const char *text, struct cursor_position *positions, unsigned n)
{
	int64_t latest;

	memset(positions, 0, n * sizeof(*positions));
	if (cursor_take_number(&text, 11, &latest) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (*text++ != '_' || read_position(&text, latest, &positions[i]) < 0)
			return -1;
	return *text ? -1 : 0;
}

/* Positions have exactly one text. Another text was not written by cursor_write. */
int cursor_read(const char *text, struct cursor_position *positions, unsigned n)
{
	struct buf again = {0};
	int rc = strlen(text) <= CURSOR_MAX_BYTES ? read_all(text, positions, n) : -1;

	if (rc == 0) {
		cursor_write(positions, n, &again);
		rc = again.failed || strcmp(buf_text(&again), text) != 0 ? -1 : 0;
		buf_deinit(&again);
	}
	return rc;
}

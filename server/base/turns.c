/* Items that wait: the tenants take turns. */
#include "server/base/turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct turns_line {
	struct turns_line *next; /* of the last: the first */
	char tenant[TURNS_TENANT_MAX];
	struct turns_item *first, **last; /* at least one item */
};

/* The line before that of the tenant; NULL: it has none. */
static struct turns_line *find_before(const struct turns *t, const char *tenant)
{
	struct turns_line *before = t->last;

	for (size_t i = 0; i < t->n_lines; i++, before = before->next)
		if (strcmp(before->next->tenant, tenant) == 0)
			return before;
	return NULL;
}

static struct turns_line *new_line(struct turns *t, const char *tenant)
{
	struct turns_line *line = calloc(1, sizeof(*line));

	if (!line)
		return NULL;
	snprintf(line->tenant, sizeof(line->tenant), "%s", tenant);
	line->last = &line->first;
	line->next = t->last ? t->last->next : line;
	if (t->last)
		t->last->next = line;
	t->last = line;
	t->n_lines++;
	return line;
}

static void remove_line(struct turns *t, struct turns_line *before)
{
	struct turns_line *line = before->next;

	before->next = line->next;
	if (t->last == line)
		t->last = --t->n_lines ? before : NULL;
	else
		t->n_lines--;
	free(line);
}

int turns_add(struct turns *t, struct turns_item *item, const char *tenant)
{
	struct turns_line *before = find_before(t, tenant);
	struct turns_line *line = before ? before->next : new_line(t, tenant);

	if (!line)
		return -1;
	item->next = NULL;
	*line->last = item;
	line->last = &item->next;
	return 0;
}

struct turns_item *turns_first(const struct turns *t)
{
	return t->last ? t->last->next->first : NULL;
}

struct turns_item *turns_take(struct turns *t)
{
	struct turns_line *line = t->last->next;
	struct turns_item *item = line->first;

	line->first = item->next;
	if (line->first)
		turns_pass(t);
	else
		remove_line(t, t->last);
	return item;
}

void turns_pass(struct turns *t)
{
	t->last = t->last->next;
}

void turns_remove(struct turns *t, struct turns_item *item, const char *tenant)
{
	struct turns_line *before = find_before(t, tenant);
	struct turns_item **at = before ? &before->next->first : NULL;

	while (at && *at && *at != item)
		at = &(*at)->next;
	if (!at || !*at)
		return;
	*at = item->next;
	if (!*at)
		before->next->last = at;
	if (!before->next->first)
		remove_line(t, before);
}

/* How many posts each project has under way. */
#include "server/hooks/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct share *share_join(struct shares *all, const char *project_id)
{
	struct share *s = all->first;

	while (s && strcmp(s->project_id, project_id) != 0)
		s = s->next;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		snprintf(s->project_id, sizeof(s->project_id), "%s", project_id);
		s->next = all->first;
		all->first = s;
	}
	s->n_targets++;
	return s;
}

void share_leave(struct shares *all, struct share *share)
{
	struct share **at = &all->first;

	if (--share->n_targets)
		return;
	while (*at != share)
		at = &(*at)->next;
	*at = share->next;
	free(share);
}

bool share_has_room(const struct shares *all, const struct share *share)
{
	return all->in_flight < SHARE_PLACES && share->in_flight < SHARE_PLACES - all->in_flight;
}

void share_begin_post(struct shares *all, struct share *share)
{
	all->in_flight++;
	share->in_flight++;
}

void share_end_post(struct shares *all, struct share *share)
{
	all->in_flight--;
	share->in_flight--;
}

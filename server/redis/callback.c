/* Groups of calls. */
#include "server/redis/callback.h"

bool call_group_end(struct call_group *g, const struct call_result *result)
{
	if (result->end != CALL_ANSWERED) {
		g->has_failed = true;
		g->why = *result->why;
	}
	return --g->n_open == 0;
}

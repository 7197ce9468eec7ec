#ifndef SERVER_HOOKS_SHARE_H
#define SERVER_HOOKS_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/id.h"

/* How many posts each project has under way. A project may have as many as there are free places:
 * at most half of all places when it is alone, a third each when two projects want more. So
 * receivers that hang leave places to other projects. */

#define SHARE_PLACES 512 /* posts under way in the process */

struct share {
	struct share *next;
	char project_id[ID_LEN + 1];
	size_t n_targets; /* endpoints of the project */
	size_t in_flight;
};
struct shares {
	struct share *first;
	size_t in_flight; /* of all projects */
};

/* The share of a project, for one more endpoint. NULL: out of memory. */
struct share *share_join(struct shares *all, const char *project_id);
/* The last endpoint that leaves frees the share. */
void share_leave(struct shares *all, struct share *share);
/* May the project begin one more post? */
bool share_has_room(const struct shares *all, const struct share *share);
/* Count a post of the project; each begin has one end, also if the post fails. */
void share_begin_post(struct shares *all, struct share *share);
void share_end_post(struct shares *all, struct share *share);

#endif

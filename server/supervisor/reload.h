#ifndef SERVER_SUPERVISOR_RELOAD_H
#define SERVER_SUPERVISOR_RELOAD_H

#include "server/supervisor/children.h"

/* SIGHUP: a new generation of workers starts beside the old one. If one of the new workers dies
 * within 3 s, all new ones are stopped; else the old ones retire. */

struct reload {
	bool is_wanted;
	unsigned number;
	int64_t settled_ms; /* end of the 3 s; 0 = no reload is under way */
	bool has_failed;    /* one of the new workers died */
};

/* Begins, undoes or finishes a reload when it is time. Call it in each turn of the supervisor. */
void reload_step(struct reload *r, const struct supervisor_plan *plan, struct children *all);

#endif

#ifndef SERVER_SUPERVISOR_RELOAD_H
#define SERVER_SUPERVISOR_RELOAD_H

#include "server/supervisor/children.h"

/* SIGHUP: another generation of workers starts beside the old one. For a moment it is on trial: if
 * one of it dies, it goes again; else the old one retires. */

struct reload {
	bool is_wanted;
	unsigned number;
	int64_t settled_ms; /* when the one on trial has lived long enough; 0 = none is */
	bool has_failed;    /* one of it died */
};

/* Begins, undoes or finishes what is due; to be called each turn while the house runs. */
void reload_step(struct reload *r, const struct supervisor_plan *plan, struct children *all);

#endif

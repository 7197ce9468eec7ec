#ifndef SERVER_REDIS_INSTANCE_H
#define SERVER_REDIS_INSTANCE_H

#include "server/base/err.h"

/* Which store is ours: the instance id in its `meta` key, remembered in <data dir>/instance, so
 * that a Redis that came back empty, or another one at the same address, is refused instead of
 * being taken for an empty queue. */

struct instance {
	char id[31]; /* "" = not known yet: a new store may be made */
	char file[512];
};

int instance_load(struct instance *i, const char *data_dir, struct err *e);
/* found: the id in the store, NULL when there is none. Remembers it when it is the first one seen.
 * ERR_REFUSED. */
int instance_check(struct instance *i, const char *found, struct err *e);

#endif

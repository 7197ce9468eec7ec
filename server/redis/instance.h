#ifndef SERVER_REDIS_INSTANCE_H
#define SERVER_REDIS_INSTANCE_H

#include "server/base/err.h"

/* Knows our store by the instance id in its `meta` key, which the file <data dir>/instance keeps. A
 * Redis that comes back empty, or another Redis at the same address, is refused: it would look like
 * an empty queue. */

struct instance {
	char id[31]; /* "" = not known yet: a new store may be made */
	char file[512];
};

int instance_load(struct instance *i, const char *data_dir, struct err *e);
/* found: the id in the store, NULL: none. The first id that is found is kept.
 * ERR_REFUSED. */
int instance_check(struct instance *i, const char *found, struct err *e);

#endif

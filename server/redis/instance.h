#ifndef SERVER_REDIS_INSTANCE_H
#define SERVER_REDIS_INSTANCE_H

#include "server/base/err.h"

/* Recognises our store by the instance id in its `meta` key. The file <data dir>/instance keeps
 * this id. A Redis that comes back empty, or another Redis at the same address, is refused, because
 * it would look like an empty queue. */

struct instance {
	char id[31]; /* "" = not known yet: a new store may be made */
	char file[512];
};

/* Reads the id from the file; without a file, id is "". ERR_INPUT: the file is damaged. */
int instance_load(struct instance *i, const char *data_dir, struct err *e);
/* Compares the id of the store with the known one. found: the id in `meta`; NULL: there is no
 * `meta` key. If no id is known yet, found is kept. ERR_REFUSED: another store, an empty one, or a
 * damaged id. */
int instance_check(struct instance *i, const char *found, struct err *e);

#endif

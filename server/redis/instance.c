/* Keeps the id of our store. */
#include "server/redis/instance.h"

#include <stdio.h>
#include <string.h>

#include "server/base/id.h"
#include "server/base/log.h"
#include "server/config/data_file.h"

int instance_load(struct instance *i, const char *data_dir, struct err *e)
{
	char text[64] = "";
	FILE *f;

	i->id[0] = 0;
	if (snprintf(i->file, sizeof(i->file), "%s/instance", data_dir) >= (int)sizeof(i->file))
		return err_set(e, ERR_INPUT, "POSTERN_DATA_DIR: the path is too long");
	f = fopen(i->file, "re");
	if (!f)
		return 0; /* the first start here */
	if (fgets(text, sizeof(text), f))
		text[strcspn(text, "\n")] = 0;
	fclose(f);
	if (!id_valid("ins", text))
		return err_set(e, ERR_INPUT, "%s is damaged: it should hold the id of the store",
			       i->file);
	memcpy(i->id, text, sizeof(i->id));
	return 0;
}

/* Other processes of this machine may do the same, or read it, at the same moment. */
static void remember(const struct instance *i)
{
	struct err e;

	if (data_file_write(i->file, i->id, 0644, &e) < 0)
		LOG_ONCE(LOG_WARN, "store.instance_not_kept", LOG_S("file", i->file),
			 LOG_S("reason", e.text));
}

int instance_check(struct instance *i, const char *found, struct err *e)
{
	if (found && !id_valid("ins", found))
		return err_set(e, ERR_REFUSED, "the `meta` key of the store is damaged");
	if (!i->id[0] && found) {
		memcpy(i->id, found, sizeof(i->id));
		remember(i);
		return 0;
	}
	if (!found)
		return err_set(
			e, ERR_REFUSED,
			"the store is empty, but it should be %s: this is the wrong Redis, or its "
			"data is lost. To start with an empty store, remove %s and restart Postern",
			i->id, i->file);
	if (strcmp(i->id, found) != 0)
		return err_set(e, ERR_REFUSED,
			       "this is another store (%s, not %s). To use it, remove %s and "
			       "restart Postern",
			       found, i->id, i->file);
	return 0;
}

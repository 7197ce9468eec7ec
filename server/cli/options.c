/* Options of a command line. */
#include "server/cli/options.h"

#include <string.h>

/* "--name" or "--name=...". */
static const struct option_row *find(const struct option_row *rows, const char *arg)
{
	size_t len = strcspn(arg, "=");

	for (; rows->name; rows++)
		if (strlen(rows->name) == len && strncmp(rows->name, arg, len) == 0)
			return rows;
	return NULL;
}

/* Reads the option at argv[i]. Gives how many arguments it took, -1 on a fault. */
static int read_one(int argc, char **argv, int i, const struct option_row *rows, struct err *e)
{
	const struct option_row *row = find(rows, argv[i]);
	const char *equals = strchr(argv[i], '=');

	if (!row)
		return err_set(e, ERR_INPUT, "%.60s: no such option", argv[i]);
	if (row->flag) {
		if (equals)
			return err_set(e, ERR_INPUT, "%s takes no value", row->name);
		*row->flag = true;
		return 1;
	}
	if (equals) {
		*row->value = equals + 1;
		return 1;
	}
	if (i + 1 >= argc)
		return err_set(e, ERR_INPUT, "%s needs a value", row->name);
	*row->value = argv[i + 1];
	return 2;
}

int options_read(int argc, char **argv, const struct option_row *rows, const char **operands,
		 size_t max, struct err *e)
{
	size_t n = 0;

	for (int i = 0; i < argc;) {
		int took = 1;

		if (argv[i][0] == '-' && argv[i][1])
			took = read_one(argc, argv, i, rows, e);
		else if (n < max)
			operands[n++] = argv[i];
		else
			took = err_set(e, ERR_INPUT, "%.60s: one argument too many", argv[i]);
		if (took < 0)
			return -1;
		i += took;
	}
	return (int)n;
}

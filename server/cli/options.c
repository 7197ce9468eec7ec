/* Options of a command line. */
#include "server/cli/options.h"

#include <string.h>

#include "server/base/spelling.h"

#define MEANT_DISTANCE 3

/* "--name" or "--name=...". */
static const struct option_row *find_row(const struct option_row *rows, const char *arg)
{
	size_t len = strcspn(arg, "=");

	for (; rows->name; rows++)
		if (strlen(rows->name) == len && strncmp(rows->name, arg, len) == 0)
			return rows;
	return NULL;
}

static int refuse_unknown(const struct option_row *rows, const char *arg, struct err *e)
{
	for (; rows->name; rows++)
		if (spelling_distance(arg, rows->name) < MEANT_DISTANCE)
			return err_set(e, ERR_INPUT, "%.60s: unknown option; did you mean %s?", arg,
				       rows->name);
	return err_set(e, ERR_INPUT, "%.60s: unknown option", arg);
}

/* Reads the option at argv[i]. Returns how many arguments it took; -1: ERR_INPUT. */
static int read_option(int argc, char **argv, int i, const struct option_row *rows, struct err *e)
{
	const struct option_row *row = find_row(rows, argv[i]);
	const char *equals = strchr(argv[i], '=');

	if (!row)
		return refuse_unknown(rows, argv[i], e);
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
		int taken = 1;

		if (argv[i][0] == '-' && argv[i][1])
			taken = read_option(argc, argv, i, rows, e);
		else if (n < max)
			operands[n++] = argv[i];
		else
			taken = err_set(e, ERR_INPUT, "%.60s: one argument too many", argv[i]);
		if (taken < 0)
			return -1;
		i += taken;
	}
	return (int)n;
}

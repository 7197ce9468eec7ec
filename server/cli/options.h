#ifndef SERVER_CLI_OPTIONS_H
#define SERVER_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

/* Options of a command line: "--name value", "--name=value", and flags. All other arguments are
 * operands. The table ends with name NULL. */

struct option_row {
	const char *name;   /* with its dashes */
	const char **value; /* of an option with a value: where to store it */
	bool *flag;         /* of a flag: set to true */
};

/* Reads all options and stores the operands, at most max. Returns the number of operands; -1:
 * ERR_INPUT. */
int options_read(int argc, char **argv, const struct option_row *rows, const char **operands,
		 size_t max, struct err *e);

#endif

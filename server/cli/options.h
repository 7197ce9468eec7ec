#ifndef SERVER_CLI_OPTIONS_H
#define SERVER_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

/* Options of a command line: "--name value", "--name=value", and flags. What is no option is an
 * operand. The table ends with name NULL. */

struct option_row {
	const char *name;   /* with its dashes */
	const char **value; /* takes a value, put here; or */
	bool *flag;         /* is a flag, set here */
};

/* Operands go to operands[0..n), at most max. -1 with ERR_INPUT; else n. */
int options_read(int argc, char **argv, const struct option_row *rows, const char **operands,
		 size_t max, struct err *e);

#endif

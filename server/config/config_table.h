#ifndef SERVER_CONFIG_CONFIG_TABLE_H
#define SERVER_CONFIG_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/config/config.h"
#include "server/base/err.h"

/* The table of settings, private to config*.c. A row says all there is to know about one value:
 * reading, checking, masking and documenting follow from it. */

enum config_type {
	CONFIG_TEXT,
	CONFIG_NUMBER,
	CONFIG_BYTES,   /* "10MB" */
	CONFIG_SECONDS, /* "48h" */
	CONFIG_BOOL,
	CONFIG_CHOICE, /* one of choices */
	CONFIG_SET,    /* some of choices, by comma */
};

enum config_secrecy {
	CONFIG_OPEN,
	CONFIG_SECRET,     /* never shown */
	CONFIG_SECRET_URL, /* the password in it is never shown */
};

struct config_choice {
	const char *name; /* NULL ends the list */
	int64_t value;
};

/* NULL, or what would be right, to come after "... is expected". */
typedef const char *config_check_fn(const char *text);

struct config_row {
	const char *name; /* the key in the file; upper case after POSTERN_ in the environment */
	enum config_type type;
	const char *standard;
	size_t offset; /* in struct config */
	int64_t min, max;
	const struct config_choice *choices;
	config_check_fn *check; /* CONFIG_TEXT, when not empty */
	enum config_secrecy secrecy;
	bool is_reloadable;
	const char *help;
};

extern const struct config_row config_rows[];
extern const size_t config_rows_count;

#define CONFIG_NAME_MAX 64

/* By name as in the file; NULL if there is none. */
const struct config_row *config_row_find(const char *name);
/* The row a person who wrote name may have meant; NULL if none comes near. */
const struct config_row *config_row_like(const char *name);

/* Checks text by the row and puts its value into *c. Text values are borrowed. ERR_INPUT says what
 * is expected, without the value where it is secret. */
int config_value_set(const struct config_row *row, const char *text, struct config *c,
		     struct err *e);

/* Reads the YAML text of file, which is a flat mapping of settings, and calls fn for each. fn
 * copies text. ERR_INPUT names file and line. */
typedef int config_yaml_fn(const struct config_row *row, const char *text, unsigned line, void *arg,
			   struct err *e);
int config_yaml_read(const char *file, const char *yaml, size_t len, config_yaml_fn *fn, void *arg,
		     struct err *e);

#endif

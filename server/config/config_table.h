#ifndef SERVER_CONFIG_CONFIG_TABLE_H
#define SERVER_CONFIG_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/config/config.h"
#include "server/base/err.h"

/* The table of settings, private to config*.c. Reading, checking, masking and documenting a
 * setting all follow from its row. */

enum config_type {
	CONFIG_TEXT,
	CONFIG_NUMBER,
	CONFIG_BYTES,   /* "10MB" */
	CONFIG_SECONDS, /* "48h" */
	CONFIG_BOOL,
	CONFIG_CHOICE, /* one of choices */
	CONFIG_SET,    /* comma-separated list of choices */
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

/* NULL if text is right, else the expected form: the words before "... is expected". */
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

#define CONFIG_ROWS_MAX 64

extern const struct config_row config_rows[];
extern const size_t config_rows_count;

#define CONFIG_NAME_MAX 64

/* By name as in the file; NULL if there is none. */
const struct config_row *config_row_find(const char *name);
/* The row whose name is most like name, for "did you mean ...?"; NULL if none is similar. */
const struct config_row *config_row_like(const char *name);

/* Checks text by the row and puts its value into *c. Text values are borrowed. ERR_INPUT names the
 * expected form, but never the value of a secret. */
int config_value_set(const struct config_row *row, const char *text, struct config *c,
		     struct err *e);

/* Called for each setting that a source holds; copies text and source. */
typedef int config_found_fn(const struct config_row *row, const char *text, const char *source,
			    void *arg, struct err *e);

/* Appends the content of a file of at most 1 MB; pipes are read, too. */
int config_file_read(const char *file, struct buf *out, struct err *e);
/* Reads the YAML text of file: a flat mapping of settings. source: "file:line". ERR_INPUT names
 * file and line. */
int config_yaml_read(const char *file, const char *yaml, size_t len, config_found_fn *fn, void *arg,
		     struct err *e);

#define CONFIG_PREFIX "POSTERN_"
#define CONFIG_ENVIRONMENT_NAME_MAX (sizeof(CONFIG_PREFIX) + CONFIG_NAME_MAX + sizeof("_FILE"))
/* "POSTERN_NAME" and a suffix ("" or "_FILE"). */
void config_environment_name(const struct config_row *row, const char *suffix,
			     char out[CONFIG_ENVIRONMENT_NAME_MAX]);
/* Reads all settings of the environment. source: the variable's name. ERR_INPUT for a POSTERN_ name
 * that is no setting. */
int config_environment_read(config_found_fn *fn, void *arg, struct err *e);

/* Checks a host name. */
const char *config_check_host(const char *text);

/* The value of a setting as it was written, and its source: "default", "file:line" or a variable.
 */
const char *config_text(const struct config *c, const struct config_row *row);
const char *config_source(const struct config *c, const struct config_row *row);

#endif

#ifndef API_JSON_RULES_H
#define API_JSON_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "server/base/buf.h"
#include "server/base/err.h"

/* Checks JSON bodies. A table has one row for each field: its types, whether it is required,
 * its limits, the place of its value in the target, and the check that returns the text for the
 * user. A run collects all errors of a body (at most RULES_ERRORS_MAX) with their JSON pointers
 * (RFC 6901). Unknown fields are errors. A member that is null counts as not given. Strings with a
 * NUL are errors, so all values can be used as C strings. */

#define RULES_ERRORS_MAX 100

enum rule_type {
	RULE_STRING = 1,
	RULE_OBJECT = 2,
	RULE_ARRAY = 4,
	RULE_INTEGER = 8,
	RULE_BOOLEAN = 16,
};

struct rule_value {
	const char *name; /* of the member; NULL for an item of an array */
	json_t *json;
	const char *text; /* of a string, else NULL */
	size_t len;       /* of text, in octets */
};

struct rules_run {
	json_t *errors; /* array of {pointer, code, detail}; NULL while there are none */
	struct buf path;
	bool is_out_of_memory;
};

/* Checks a value that has the right type and size, and writes it to `at`. 0, or -1 with the text
 * for the user in e (ERR_INTERNAL: out of memory). May report errors of its own by rules_error and
 * return 0. */
typedef int rule_fn(struct rules_run *run, const struct rule_value *v, void *at, struct err *e);

struct rule {
	const char *field;
	unsigned types; /* of enum rule_type */
	bool is_required;
	/* Characters of a string, items of an array, members of an object. max 0: no limit. */
	size_t min, max;
	size_t at; /* offset in the target; items get the offset of their array or object */
	rule_fn *take;
	/* For each item of an array, or each member of an object with free names; before take. */
	const struct rule *each;
	/* Of an array: a single value that `each` allows is accepted as an array of one item. */
	bool is_one_or_more;
};

/* A zeroed run is ready to use. Frees its memory, also errors that were not taken. */
void rules_deinit(struct rules_run *run);
/* Reports an error with the code `invalid` at the current value, or at its member `name` (NULL:
 * none). Other codes: required, unknown_field, wrong_type, too_short, too_long. */
void rules_error(struct rules_run *run, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Applies the table to an object. A rule_fn may call it for an object inside a value. */
void rules_fields(struct rules_run *run, const struct rule *table, size_t n, json_t *object,
		  void *target);
/* As rules_fields, for a whole body, which must be an object. */
void rules_body(struct rules_run *run, const struct rule *table, size_t n, json_t *body,
		void *target);
/* True if the object has such a member that is not null. */
bool rules_is_given(const json_t *object, const char *field);
bool rules_has_errors(const struct rules_run *run);
/* Gives the errors to the caller; NULL if there are none. */
json_t *rules_take_errors(struct rules_run *run);

#endif

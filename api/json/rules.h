#ifndef API_JSON_RULES_H
#define API_JSON_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "server/base/buf.h"
#include "server/base/err.h"

/* The one engine that checks JSON bodies. A body is a table of rules, one row a field: its types,
 * whether it must be there, its limits, where its value lands and the check that returns the
 * sentence for the user. A run collects all faults of a body (at most RULES_MAX_FAULTS) with their
 * JSON pointers (RFC 6901). Unknown fields are faults; null is a type that no rule allows. Strings
 * with a NUL are faults, so what lands may be used as a C string. */

#define RULES_MAX_FAULTS 100

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
	json_t *faults; /* array of {pointer, detail}; NULL while there are none */
	struct buf path;
	bool is_out_of_memory;
};

/* Checks a value that has the right type and size, and lands it at `at`. 0, or -1 with the sentence
 * for the user in e (ERR_INTERNAL: out of memory). May report faults of its own by rules_fault and
 * return 0. */
typedef int rule_fn(struct rules_run *run, const struct rule_value *v, void *at, struct err *e);

struct rule {
	const char *field;
	unsigned types; /* of enum rule_type */
	bool is_required;
	/* Characters of a string, items of an array, members of an object. max 0: no limit. */
	size_t min, max;
	size_t at; /* offset in the target; items land where their array or object does */
	rule_fn *take;
	/* For each item of an array, or each member of an object with free names; before take. */
	const struct rule *each;
};

/* A zeroed run is ready. Gives back what it holds, faults too unless they were taken. */
void rules_deinit(struct rules_run *run);
/* Reports a fault at where the run stands, or at its member `name` (NULL: none). */
void rules_fault(struct rules_run *run, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Applies the table to an object; also to one inside a value, from its rule_fn. */
void rules_fields(struct rules_run *run, const struct rule *table, size_t n, json_t *object,
		  void *target);
/* A whole body: as rules_fields, and the body must be an object. */
void rules_body(struct rules_run *run, const struct rule *table, size_t n, json_t *body,
		void *target);
bool rules_has_faults(const struct rules_run *run);
/* The faults, the caller's from now on; NULL if there are none. */
json_t *rules_take_faults(struct rules_run *run);

#endif

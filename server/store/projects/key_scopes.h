#ifndef SERVER_STORE_PROJECTS_KEY_SCOPES_H
#define SERVER_STORE_PROJECTS_KEY_SCOPES_H

#include <jansson.h>

#include "server/store/projects/keys.h"

/* The names of the scopes that a stored key may have. */

#define KEY_SCOPES 3
extern const struct key_scope_name {
	const char *name;
	enum key_scope scope;
} key_scope_names[KEY_SCOPES];

/* The names of some scopes, as an array that the caller owns. NULL: out of memory. */
json_t *key_scopes_json(unsigned scopes);

#endif

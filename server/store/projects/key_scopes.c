/* The names of the scopes of API keys. */
#include "server/store/projects/key_scopes.h"

const struct key_scope_name key_scope_names[KEY_SCOPES] = {
	{"send", SCOPE_SEND}, {"read", SCOPE_READ}, {"manage", SCOPE_MANAGE}};

json_t *key_scopes_json(unsigned scopes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < KEY_SCOPES; i++)
		if (scopes & key_scope_names[i].scope)
			json_array_append_new(list, json_string(key_scope_names[i].name));
	return list;
}

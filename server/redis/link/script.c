/* The Lua transitions, compiled in. */
#include "server/redis/link/script.h"

#include "lua_library.h"

const char *script_function(enum script script)
{
	return lua_functions[script];
}

void script_ask(struct command *c)
{
	command_start(c, "FUNCTION");
	command_str(c, "LIST");
	command_str(c, "LIBRARYNAME");
	command_str(c, LUA_LIBRARY);
}

void script_load(struct command *c)
{
	command_start(c, "FUNCTION");
	command_str(c, "LOAD");
	command_arg(c, lua_library, sizeof(lua_library) - 1);
}

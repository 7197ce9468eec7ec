/* The Lua transitions and their SHA-1 names. */
#include "server/redis/script.h"

#include "lua_sources.h"

const char *script_name(enum script script)
{
	return lua_sources[script].name;
}

const char *script_text(enum script script)
{
	return lua_sources[script].text;
}

const char *script_sha(enum script script)
{
	return lua_sources[script].sha;
}

/* The Lua transitions, compiled in. */
#include "server/redis/link/script.h"

#include "lua_library.h"
#include "server/redis/link/conn.h"

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

static void on_loaded(const redisReply *r, void *arg)
{
	bool *is_loading = arg;

	(void)r; /* if it is an error, the next FCALL has the same one again */
	*is_loading = false;
}

void script_load_again(struct conn *conn, bool *is_loading)
{
	struct command c = {0};

	if (*is_loading)
		return;
	script_load(&c);
	*is_loading = conn_send_command(conn, &c, on_loaded, is_loading);
}

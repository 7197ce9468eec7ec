/* The Lua transitions, compiled in. */
#include "server/redis/link/script.h"

#include <string.h>

#include "lua_library.h"
#include "server/base/log.h"
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

	/* After an error, the next FCALL loads them again. */
	if (r && r->type == REDIS_REPLY_ERROR && !strstr(r->str, SCRIPT_IS_LOADED))
		LOG_ONCE(LOG_WARN, "store.not_now", LOG_S("reason", SCRIPT_LOAD_FAILED),
			 LOG_S("error", r->str));
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

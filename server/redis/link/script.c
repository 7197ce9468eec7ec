/* The Lua transitions and their SHA-1 names. */
#include "server/redis/link/script.h"

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

bool script_load_all(struct conn *conn, reply_fn *fn, void *arg)
{
	bool are_sent = true;

	for (int i = 0; i < SCRIPTS; i++) {
		struct command c = {0};

		command_start(&c, "SCRIPT");
		command_str(&c, "LOAD");
		command_str(&c, script_text((enum script)i));
		are_sent &= conn_send_command(conn, &c, fn, arg);
	}
	return are_sent;
}

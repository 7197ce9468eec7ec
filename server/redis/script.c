/* The Lua transitions and their SHA-1 names. */
#include "server/redis/script.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "lua_sources.h"
#include "server/base/hex.h"

static const char *const names[SCRIPTS] = {
	[SCRIPT_INIT] = "init",
	[SCRIPT_ACCEPT] = "accept",
	[SCRIPT_TAKE] = "take",
	[SCRIPT_DOT] = "dot",
	[SCRIPT_SETTLE] = "settle",
	[SCRIPT_GIVEBACK] = "giveback",
	[SCRIPT_SLOT] = "slot",
	[SCRIPT_REST] = "rest",
	[SCRIPT_PROMOTE] = "promote",
	[SCRIPT_RELEASE] = "release",
	[SCRIPT_EXPIRE] = "expire",
	[SCRIPT_CANCEL] = "cancel",
	[SCRIPT_SWEEP] = "sweep",
	[SCRIPT_TRANSCRIPT] = "transcript",
	[SCRIPT_PROJECT] = "project",
	[SCRIPT_KEY] = "key",
	[SCRIPT_INBOX] = "inbox",
	[SCRIPT_LIST] = "list",
	[SCRIPT_RETRY] = "retry",
	[SCRIPT_ENDPOINT] = "endpoint",
	[SCRIPT_HOOK] = "hook",
	[SCRIPT_HOOKS] = "hooks",
	[SCRIPT_SUPPRESSION] = "suppression",
	[SCRIPT_SPREAD] = "spread",
};
static char shas[SCRIPTS][41];

const char *script_name(enum script script)
{
	return names[script];
}

const char *script_text(enum script script)
{
	for (size_t i = 0; i < sizeof(lua_sources) / sizeof(lua_sources[0]); i++)
		if (strcmp(lua_sources[i].name, names[script]) == 0)
			return lua_sources[i].text;
	abort(); /* a transition without a file is a broken build */
}

const char *script_sha(enum script script)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	const char *text;
	unsigned len = 0;

	if (shas[script][0])
		return shas[script];
	text = script_text(script);
	if (EVP_Digest(text, strlen(text), digest, &len, EVP_sha1(), NULL) != 1 || len != 20)
		abort();
	hex_encode(digest, len, shas[script]);
	return shas[script];
}

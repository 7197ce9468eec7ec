/* The Lua transitions and their SHA-1 names. */
#include "server/redis/script.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "lua_sources.h"
#include "server/base/hex.h"

static char shas[SCRIPTS][41];

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

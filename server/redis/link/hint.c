/* Hints for operators. */
#include "server/redis/link/hint.h"

#include <stddef.h>
#include <string.h>

const char *hint_about_tls(const char *why, bool is_tls, bool has_replied)
{
	static const struct {
		const char *part, *hint;
	} hints[] = {
		{"wrong version number", "this port does not speak TLS: use redis:// (with one s)"},
		{"no TLS handshake", "if this port does not speak TLS, use redis:// (with one s)"},
		{"signature failure", "set POSTERN_REDIS_CA_FILE to the CA that signed the server"},
		{"self-signed", "set POSTERN_REDIS_CA_FILE to the CA that signed the server"},
		{"unable to get", "set POSTERN_REDIS_CA_FILE to the CA that signed the server"},
		{"ostname mismatch", "the certificate must have the host of POSTERN_REDIS_URL"},
		{"IP address mismatch", "the certificate must have the host of POSTERN_REDIS_URL"},
		{"certificate required", "set POSTERN_REDIS_CERT_FILE and POSTERN_REDIS_KEY_FILE"},
	};
	bool is_closed = strstr(why, "closed") || strstr(why, "reset");

	for (size_t i = 0; is_tls && i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(why, hints[i].part))
			return hints[i].hint;
	if (!is_tls && !has_replied && (is_closed || strstr(why, "Protocol error")))
		return "if this port speaks TLS, use rediss:// (with two s)";
	return NULL;
}

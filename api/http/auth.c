/* Checks the API key: Authorization: Bearer, and nothing else (RFC 6750 2.1). */
#include "api/http/auth.h"

#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "api/http/response.h"
#include "server/base/sha256.h"

#define BEARER_MAX 200

/* One text for every kind of invalid key, so that the response does not say what was wrong. */
static void refuse_key(struct request *r)
{
	response_problem(r, PROBLEM_UNAUTHORIZED, NULL,
			 "Send a valid API key as \"Authorization: Bearer pn_...\".");
}

static void on_key(const struct key *key, const struct err *why, void *arg)
{
	struct request *r = arg;

	if (key) {
		r->key = *key;
		r->is_admitted = true;
		request_resume(r);
	} else if (!why || why->kind == ERR_NOT_FOUND) {
		refuse_key(r);
	} else if (r->route->method == HTTP_GET) {
		response_problem(r, PROBLEM_UNAVAILABLE, NULL,
				 "The API key cannot be checked now.");
	} else {
		response_problem(r, PROBLEM_NOT_ACCEPTED, NULL,
				 "The API key cannot be checked now. Nothing was stored.");
	}
}

/* The root key is in the configuration: it belongs to no project, and is not in the store. */
static bool is_root(const struct api *api, const char *key, size_t len)
{
	unsigned char given[SHA256_BYTES], wanted[SHA256_BYTES];
	const char *root = api->config->root_key;

	if (!*root)
		return false;
	sha256(key, len, given);
	sha256(root, strlen(root), wanted);
	return CRYPTO_memcmp(given, wanted, sizeof(given)) == 0;
}

static void admit_root(struct request *r)
{
	r->key = (struct key){.id = "root", .scopes = SCOPE_ROOT};
	r->is_admitted = true;
}

/* The key in the header, of *len octets, or NULL. One space after the scheme, then visible ASCII;
 * spaces and tabs at the end are ignored (RFC 9110 5.5). */
static const char *find_bearer(const char *header, size_t *len)
{
	const char *key;
	size_t n = 0;

	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return NULL;
	key = header + 7;
	while (key[n] > ' ' && key[n] < 0x7f)
		n++;
	if (n == 0 || n > BEARER_MAX || key[n + strspn(key + n, " \t")])
		return NULL;
	*len = n;
	return key;
}

void auth_check(struct request *r)
{
	size_t len = 0;
	const char *key = find_bearer(request_header(r, "Authorization"), &len);

	if (key && is_root(r->api, key, len))
		admit_root(r);
	else if (key)
		keys_find(r->api->redis, key, len, on_key, r);
	else
		refuse_key(r);
}

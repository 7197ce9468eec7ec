/* The certificates for TLS to Redis. */
#include "server/redis/link/redis_tls.h"

#include <stddef.h>

#include "server/config/config.h"
#include "server/redis/link/url.h"
#include "server/stream/tls.h"

int redis_tls_load(const struct config *config, const struct redis_url *url,
		   struct tls_context **out, struct err *e)
{
	struct tls_context *tls;

	*out = NULL;
	if (!url->is_tls)
		return 0;
	if (!*config->redis_cert_file != !*config->redis_key_file)
		return err_set(e, ERR_INPUT,
			       "POSTERN_REDIS_CERT_FILE and POSTERN_REDIS_KEY_FILE: set both or "
			       "neither");
	tls = tls_context_new(*config->redis_ca_file ? config->redis_ca_file : NULL, e);
	if (!tls)
		return err_prefix(e, "POSTERN_REDIS_CA_FILE");
	if (*config->redis_cert_file &&
	    tls_context_use_certificate(tls, config->redis_cert_file, config->redis_key_file, e)) {
		tls_context_free(tls);
		return err_prefix(e, "POSTERN_REDIS_CERT_FILE");
	}
	*out = tls;
	return 0;
}

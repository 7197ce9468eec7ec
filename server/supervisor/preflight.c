/* Checks of the configuration that need other parts of Postern. */
#include "server/supervisor/preflight.h"

#include <string.h>
#include <sys/stat.h>

#include "api/http/certificate.h"
#include "server/base/log.h"
#include "server/supervisor/data_dir.h"
#include "server/supervisor/listen.h"
#include "server/mail/dkim.h"
#include "server/route/router.h"
#include "server/redis/url.h"

/* Only a warning: Docker and Kubernetes mount secrets readable for all. */
static void warn_readable(const char *setting, const char *file)
{
	struct stat st;

	if (*file && stat(file, &st) == 0 && (st.st_mode & S_IROTH))
		LOG(LOG_WARN, "config.key_readable_by_all", LOG_S("setting", setting),
		    LOG_S("file", file));
}

static int check_dkim(const struct config *config, struct err *e)
{
	struct dkim_key *key;

	if (!*config->dkim_key)
		return 0;
	if (dkim_key_load(&key, config->dkim_key, config->dkim_domain, config->dkim_selector, e) <
	    0)
		return err_prefix(e, "dkim_key");
	dkim_key_free(key);
	warn_readable("dkim_key", config->dkim_key);
	return 0;
}

static int check_tls(const struct config *config, struct err *e)
{
	if (!*config->tls_cert)
		return 0;
	if (certificate_check(config, e) < 0)
		return -1;
	warn_readable("tls_key", config->tls_key);
	return 0;
}

int preflight_check(const struct config *config, struct err *e)
{
	struct redis_url url;
	int status = redis_url_parse(config, &url, e);

	explicit_bzero(&url, sizeof(url));
	if (status < 0 || listen_check(config->listen, e) < 0 ||
	    data_dir_check(config->data_dir, e) < 0 || router_check_config(config, e) < 0 ||
	    check_dkim(config, e) < 0 || check_tls(config, e) < 0)
		return -1;
	return 0;
}

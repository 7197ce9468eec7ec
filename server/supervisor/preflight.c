/* Checks of the configuration that need other parts of Postern. */
#include "server/supervisor/preflight.h"

#include <string.h>
#include <sys/stat.h>

#include "api/http/certificate.h"
#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/config/helo_name.h"
#include "server/supervisor/data_dir.h"
#include "server/supervisor/listen.h"
#include "server/mail/dkim.h"
#include "server/route/router.h"
#include "server/redis/link/redis_tls.h"
#include "server/redis/link/url.h"
#include "server/stream/tls.h"

/* No keys without dkim_key. */
static int load_dkim(const struct config *config, struct dkim_keys *keys, struct err *e)
{
	keys->n = 0;
	if (*config->dkim_key && dkim_keys_init(keys, config->dkim_key, config->dkim_domain,
						config->dkim_selector, e) < 0)
		return err_prefix(e, "dkim_key");
	return 0;
}

static int check_dkim(const struct config *config, struct err *e)
{
	struct dkim_keys keys;

	if (load_dkim(config, &keys, e) < 0)
		return -1;
	dkim_keys_deinit(&keys);
	return 0;
}

static int check_tls(const struct config *config, struct err *e)
{
	return *config->tls_cert ? certificate_check(config, e) : 0;
}

static int check_redis(const struct config *config, struct err *e)
{
	struct tls_context *tls = NULL;
	struct redis_url url;
	int status;

	if (config->durability == DURABILITY_REPLICATED && !*config->redis_url)
		return err_set(e, ERR_INPUT,
			       "POSTERN_DURABILITY=replicated needs a Redis with a replica: set "
			       "POSTERN_REDIS_URL");
	status = redis_url_parse(config, &url, e);

	if (status == 0)
		status = redis_tls_load(config, &url, &tls, e);
	tls_context_free(tls);
	explicit_bzero(&url, sizeof(url));
	return status;
}

static int check_listen(const struct config *config, struct err *e)
{
	if (listen_check("POSTERN_LISTEN", config->listen, e) < 0)
		return -1;
	if (!config_has_metrics(config))
		return 0;
	if (listen_check("POSTERN_METRICS_LISTEN", config->metrics_listen, e) < 0)
		return -1;
	if (listen_share(config->listen, config->metrics_listen))
		return err_set(e, ERR_INPUT,
			       "POSTERN_METRICS_LISTEN and POSTERN_LISTEN have the same address; "
			       "choose another port, or POSTERN_METRICS_LISTEN=off");
	return 0;
}

int preflight_check(const struct config *config, struct err *e)
{
	if (check_redis(config, e) < 0 || check_listen(config, e) < 0 ||
	    data_dir_check(config->data_dir, e) < 0 || router_check_config(config, e) < 0 ||
	    check_dkim(config, e) < 0 || check_tls(config, e) < 0)
		return -1;
	return 0;
}

int preflight_records(const struct config *config, struct buf *out, struct err *e)
{
	struct dkim_keys keys;
	int status;

	if (load_dkim(config, &keys, e) < 0)
		return -1;
	if (keys.n)
		buf_str(out, "TXT records for DKIM:\n");
	status = dkim_keys_records(&keys, out, e);
	dkim_keys_deinit(&keys);
	return status;
}

/* ---- warnings ---- */

/* Only a warning: Docker and Kubernetes mount secrets readable for all. */
static void warn_readable(const char *setting, const char *file)
{
	struct stat st;

	if (*file && stat(file, &st) == 0 && (st.st_mode & S_IROTH))
		LOG(LOG_WARN, "config.key_readable_by_all", LOG_S("setting", setting),
		    LOG_S("file", file));
}

static bool lacks_api(const struct config *c)
{
	return !(c->roles & ROLE_API);
}

static bool lacks_relay(const struct config *c)
{
	return !(c->roles & ROLE_RELAY);
}

static bool lacks_hooks(const struct config *c)
{
	return !(c->roles & ROLE_HOOKS);
}

static bool has_relay_url(const struct config *c)
{
	return *c->relay_url;
}

static bool has_implicit_tls(const struct config *c)
{
	return strncmp(c->relay_url, "smtps://", 8) == 0;
}

static bool has_embedded_redis(const struct config *c)
{
	return !config_is_given(c, "redis_url");
}

static bool lacks_redis_tls(const struct config *c)
{
	return strncmp(c->redis_url, "rediss", 6) != 0;
}

static bool is_wanted(const struct config *c)
{
	return c->require_verified_domain;
}

/* Settings that have no effect in some configurations. */
static const struct idle_setting {
	const char *name;
	bool (*is_idle)(const struct config *c);
	const char *why;
} idle_settings[] = {
	{"listen", lacks_api, "the role api is not among POSTERN_ROLES"},
	{"metrics_listen", lacks_api, "the role api is not among POSTERN_ROLES"},
	{"tls_cert", lacks_api, "the role api is not among POSTERN_ROLES"},
	{"workers_api", lacks_api, "the role api is not among POSTERN_ROLES"},
	{"http_connections", lacks_api, "the role api is not among POSTERN_ROLES"},
	{"http_connections_per_address", lacks_api, "the role api is not among POSTERN_ROLES"},
	{"trusted_proxies", lacks_api, "the role api is not among POSTERN_ROLES"},
	{"root_key", lacks_api, "the role api is not among POSTERN_ROLES"},
	{"workers_relay", lacks_relay, "the role relay is not among POSTERN_ROLES"},
	{"relay_url", lacks_relay, "the role relay is not among POSTERN_ROLES"},
	{"relay_connections", lacks_relay, "the role relay is not among POSTERN_ROLES"},
	{"helo_name", lacks_relay, "the role relay is not among POSTERN_ROLES"},
	{"bounce_domain", lacks_relay, "the role relay is not among POSTERN_ROLES"},
	{"dkim_key", lacks_relay, "the role relay is not among POSTERN_ROLES"},
	{"smtp_port", has_relay_url, "POSTERN_RELAY_URL is set, and has a port of its own"},
	{"mx_allow_private", has_relay_url, "POSTERN_RELAY_URL is set: no MX host is used"},
	{"tls_policy", has_implicit_tls, "POSTERN_RELAY_URL is smtps://, which is always TLS"},
	{"webhook_ca_file", lacks_hooks, "the role hooks is not among POSTERN_ROLES"},
	{"webhook_retry_s", lacks_hooks, "the role hooks is not among POSTERN_ROLES"},
	{"redis_ca_file", lacks_redis_tls, "POSTERN_REDIS_URL has no TLS (rediss://)"},
	{"redis_cert_file", lacks_redis_tls, "POSTERN_REDIS_URL has no TLS (rediss://)"},
	{"assert_redis_settings", has_embedded_redis, "the embedded Redis has these settings"},
	{"require_verified_domain", is_wanted,
	 "this version cannot verify domains: live keys send from any"},
};

static void warn_idle(const struct config *config)
{
	for (size_t i = 0; i < sizeof(idle_settings) / sizeof(*idle_settings); i++) {
		const struct idle_setting *s = &idle_settings[i];

		if (config_is_given(config, s->name) && s->is_idle(config))
			LOG(LOG_WARN, "config.no_effect", LOG_S("setting", s->name),
			    LOG_S("hint", s->why));
	}
}

void preflight_warn(const struct config *config)
{
	const char *dkim_keys = config->dkim_key;
	char file[DKIM_ITEM_MAX];

	while (dkim_keys_item(&dkim_keys, file))
		warn_readable("dkim_key", file);
	warn_readable("tls_key", config->tls_key);
	warn_readable("redis_key_file", config->redis_key_file);
	warn_idle(config);
	if (helo_name_warning(config))
		LOG(LOG_WARN, "config.no_helo_name", LOG_S("hint", helo_name_warning(config)));
	/* The embedded Redis comes with a secret (server/supervisor/secret.h). */
	if (!*config->secret && !has_embedded_redis(config) &&
	    (config->roles & (ROLE_API | ROLE_HOOKS)))
		LOG(LOG_WARN, "config.secret_missing",
		    LOG_S("hint", "webhooks cannot be created or delivered: set POSTERN_SECRET to "
				  "the same 32 bytes on every machine, `openssl rand -base64 32`"));
}

#ifndef SERVER_CONFIG_CONFIG_H
#define SERVER_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"

struct buf;

/* The configuration. The table in config_table.c has a row for each setting: name, type, default,
 * limits, whether it is secret and whether SIGHUP may change it. A value comes from the default,
 * from postern.yaml (key: `redis_url`), or from the environment (`POSTERN_REDIS_URL`; for secrets
 * also `POSTERN_REDIS_URL_FILE`, a file that holds the value). The environment has precedence over
 * the file. An empty value means the default. Times may be written "30s", "10m", "48h", "3d", sizes
 * "500KB", "10MB". Strings are never NULL; "" means not set. Sizes are in bytes, times in the unit
 * of the field's name. */

enum config_role { ROLE_API = 1, ROLE_RELAY = 2, ROLE_KEEPER = 4, ROLE_HOOKS = 8 };
enum config_durability { DURABILITY_FSYNC, DURABILITY_RELAXED, DURABILITY_REPLICATED };
enum config_tls { TLS_OPPORTUNISTIC, TLS_REQUIRED }; /* to mail servers; smtps:// always uses TLS */

struct config {
	const char *metrics_listen; /* POSTERN_METRICS_LISTEN "127.0.0.1:9464"; "off" */
	const char *listen;         /* POSTERN_LISTEN "127.0.0.1:8080"; "[::]:8080" */
	const char *redis_url;      /* forms: server/redis/url.h; "" = embedded */
	const char *redis_ca_file;  /* PEM; "" = the CAs of the system */
	const char *redis_cert_file, *redis_key_file; /* PEM; "" = no client certificate */
	const char *data_dir;                         /* journals, embedded Redis */
	const char *tls_cert;                         /* PEM, API side */
	const char *tls_key;
	const char *bounce_domain; /* "" = MAIL FROM is the From address */
	const char *root_key;
	const char *secret;        /* 32 bytes, base64 */
	const char *relay_url;     /* smtp[s]://[user:password@]host[:port]; "" = direct to MX */
	const char *relay_ca_file; /* PEM; "" = the system's */
	int64_t smtp_port;         /* port of mail servers found by MX; 25 */
	const char *helo_name;     /* "" = see helo_name.h */
	int64_t tls_policy;        /* enum config_tls, for MX delivery and smtp:// relay */
	const char *dkim_key;      /* files: PEM RSA or Ed25519 private keys, comma-separated */
	const char *dkim_domain;
	const char *dkim_selector; /* one for each key, comma-separated */
	int64_t roles;             /* bits of enum config_role */
	int64_t workers_api;       /* 0 = one per core */
	int64_t workers_relay;
	int64_t durability;         /* enum config_durability */
	bool assert_redis_settings; /* do not check them: Redis denies CONFIG */
	bool require_verified_domain;
	bool webhook_allow_private;
	const char *webhook_ca_file; /* PEM; "" = the system's */
	bool mx_allow_private;       /* deliver to private, loopback and link-local addresses */
	const char *dns_servers;     /* "127.0.0.1@5353 9.9.9.9"; "" = /etc/resolv.conf */
	int64_t log_level;           /* enum log_level */
	int64_t log_format;          /* enum log_format */

	int64_t max_recipients;          /* of one message; 50 */
	int64_t max_message_bytes;       /* after encoding; 10 MB */
	int64_t max_body_bytes;          /* request body; 16 MB */
	int64_t project_queued_messages; /* of a project, not finished; 1,000,000 */
	int64_t project_suppressions;    /* of a mode of a project; 100,000 */
	int64_t suppression_s;           /* life of an entry by a bounce; 0 = it stays */
	int64_t project_stored_bytes;    /* of a project; 0 = 60 % of Redis's memory */
	int64_t test_inbox_bytes;        /* of a project; 64 MB */
	int64_t idempotency_s;           /* how long an Idempotency-Key is kept; 24 h */
	int64_t retention_s; /* how long states and events are kept after a message is finished; 3
				days */
	int64_t default_deadline_s;           /* of a message without deliver_within; 48 h */
	int64_t site_connections;             /* to one site, over all relays; 20 */
	int64_t accept_wait_s;                /* while relays are behind; 2; 0 = never */
	int64_t otp_waiting;                  /* ready jobs of a project in lane otp; 1000 */
	int64_t relay_connections;            /* of one relay process; 200 */
	int64_t connecting_per_address;       /* of one relay process, not ready for mail yet; 20 */
	int64_t drain_s;                      /* SIGTERM: how long open transactions may take; 30 */
	int64_t http_connections;             /* of one API process; 2000 */
	int64_t http_connections_per_address; /* of them; 1000 */
	const char *trusted_proxies;          /* list for networks_have */
	int64_t partitions;                   /* of the store; fixed at its first use; 1 */
	int64_t retry_first_otp_s;            /* first retry in lane otp; 60 */
	int64_t retry_first_s;                /* first retry in the other lanes; 300 */
	int64_t webhook_retry_s;              /* second try of a webhook; 5 */
	int64_t retry_max_s;                  /* 4 h */
};

/* Reads file (NULL: ./postern.yaml if it exists) and the environment. ERR_INPUT with
 * "postern.yaml:3: listen_addr: unknown key" or "POSTERN_LISTEN: ..." and the expected form.
 * The strings live as long as *c. */
int config_load(struct config **c, const char *file, struct err *e);
/* The same, with other defaults, for a command or a test. presets ends with name NULL. */
struct config_preset {
	const char *name; /* as in the file */
	const char *value;
};
int config_load_preset(struct config **c, const char *file, const struct config_preset *presets,
		       struct err *e);
/* Reads the file of c again. Values from the environment stay. Settings that SIGHUP may not change
 * stay, too; if they differ in the file, their names are appended to ignored. */
int config_reload(const struct config *c, struct config **fresh, struct buf *ignored,
		  struct err *e);
/* Sets a value; text is copied. config_show prints source as its origin. */
int config_set(struct config *c, const char *name, const char *text, const char *source,
	       struct err *e);
/* False: metrics_listen is off. */
bool config_has_metrics(const struct config *c);
/* Reads a value as for the setting of this name, which is a number, a size or a time. */
int config_read_number(const char *name, const char *text, int64_t *value, struct err *e);
/* Wipes the secrets in the environment of this process, also in /proc/PID/environ. */
void config_forget_environment(void);
void config_free(struct config *c); /* wipes secrets */

/* True unless the setting has its default. */
bool config_is_given(const struct config *c, const char *name);
/* The file that was read; "" = none. */
const char *config_file(const struct config *c);

/* Appends every value as YAML, with its source as a comment; secrets as "********". */
void config_show(const struct config *c, struct buf *out);
/* Appends the table of settings for the documentation (Markdown). */
void config_table(struct buf *out);

#endif

/* The table of settings. */
#include "server/config/config_table.h"

#include <string.h>

#include "server/base/log.h"
#include "server/base/spelling.h"
#include "server/config/helo_name.h"
#include "server/config/networks.h"

#define HOUR INT64_C(3600)
#define DAY (24 * HOUR)
#define KB INT64_C(1024)
#define MB (1024 * KB)
/* Workers of both kinds and six other processes must fit into METRIC_SLOTS. */
#define WORKERS_MAX 60

static const struct config_choice role_names[] = {{"api", ROLE_API},
						  {"relay", ROLE_RELAY},
						  {"keeper", ROLE_KEEPER},
						  {"hooks", ROLE_HOOKS},
						  {NULL, 0}};
static const struct config_choice durability_names[] = {{"fsync", DURABILITY_FSYNC},
							{"relaxed", DURABILITY_RELAXED},
							{"replicated", DURABILITY_REPLICATED},
							{NULL, 0}};
static const struct config_choice tls_names[] = {
	{"opportunistic", TLS_OPPORTUNISTIC}, {"required", TLS_REQUIRED}, {NULL, 0}};
static const struct config_choice level_names[] = {{"debug", LOG_DEBUG},
						   {"info", LOG_INFO},
						   {"warn", LOG_WARN},
						   {"error", LOG_ERROR},
						   {NULL, 0}};
static const struct config_choice format_names[] = {
	{"text", LOG_FORMAT_TEXT}, {"json", LOG_FORMAT_JSON}, {NULL, 0}};

static const char *check_redis_url(const char *text)
{
	static const char *const schemes[] = {"redis://",          "rediss://",
					      "redis+sentinel://", "rediss+sentinel://",
					      "redis+cluster://",  "rediss+cluster://"};
	const char *path = strncmp(text, "unix://", 7) == 0 ? strchr(text + 7, '/') : NULL;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i]);

		if (strncmp(text, schemes[i], len) == 0 && text[len])
			return NULL;
	}
	if (path && (path == text + 7 || path[-1] == '@'))
		return NULL;
	return "redis://[user:password@]host[:port][/db], rediss://... for TLS, "
	       "redis+sentinel://host:port,.../service[?db=number], "
	       "redis+cluster://host:port,..., or unix:///path[?db=number]";
}

static const char *check_relay_url(const char *text)
{
	if (strncmp(text, "smtp://", 7) == 0 && text[7])
		return NULL;
	if (strncmp(text, "smtps://", 8) == 0 && text[8])
		return NULL;
	return "smtp://[user:password@]host[:port][?tls=...] or smtps://...";
}

const char *config_check_host(const char *text)
{
	static const char *const expected = "a host name in ASCII, like mail.example.com,";
	size_t label = 0;

	if (strlen(text) > 253)
		return expected;
	for (const char *p = text; *p; p++) {
		label = *p == '.' ? 0 : label + 1;
		if (*p == '.' && (p == text || p[-1] == '.' || p[-1] == '-'))
			return expected;
		if (label > 63 || (label == 1 && *p == '-') ||
		    !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._",
			    *p))
			return expected;
	}
	return label ? NULL : expected;
}

static const char *check_root_key(const char *text)
{
	size_t len = strlen(text);

	if (len < 24 || len > 200 || strchr(text, ' '))
		return "24 to 200 characters without blanks, as `openssl rand -hex 32` makes them,";
	return NULL;
}

/* RFC 4648 4: 32 bytes are 43 characters and one pad. */
static const char *check_secret(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (strspn(text, digits) == 43 && (text[43] == 0 || strcmp(text + 43, "=") == 0))
		return NULL;
	return "32 bytes in base64, as `openssl rand -base64 32` makes them,";
}

#define ROW(name_, type_, standard_)                                                               \
	.name = #name_, .type = (type_), .standard = (standard_),                                  \
	.offset = offsetof(struct config, name_)

const struct config_row config_rows[] = {
	{ROW(listen, CONFIG_TEXT, "127.0.0.1:8080"),
	 .help = "Addresses of the API: comma-separated list of address:port or [IPv6]:port."},
	{ROW(metrics_listen, CONFIG_TEXT, "127.0.0.1:9464"),
	 .help = "Addresses of /metrics and of /readyz with reasons, without TLS and without a "
		 "key. "
		 "A list as in listen, or off."},
	{ROW(redis_url, CONFIG_TEXT, ""), .check = check_redis_url, .secrecy = CONFIG_SECRET_URL,
	 .help = "Redis 7 or later: redis://[user:password@]host[:port][/db], "
		 "rediss://... for TLS, "
		 "redis+sentinel://[user:password@]host[:port],.../service[?db=number] (or "
		 "rediss+sentinel://), "
		 "redis+cluster://[user:password@]host[:port],... (or rediss+cluster://), or "
		 "unix://[user:password@]/path[?db=number]. "
		 "Empty: an embedded Redis in the data directory."},
	{ROW(redis_ca_file, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "PEM file with the CA certificates that verify a rediss:// server. Empty: the CAs "
		 "of the system."},
	{ROW(redis_cert_file, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "PEM file with the client certificate chain for a rediss:// server that asks for "
		 "one."},
	{ROW(redis_key_file, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "PEM file with the private key of redis_cert_file."},
	{ROW(data_dir, CONFIG_TEXT, "./postern-data"),
	 .help = "Directory for the journals of the relays and the files of the embedded Redis."},
	{ROW(tls_cert, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "PEM file with the certificate chain of the API. With it and tls_key the API "
		 "accepts "
		 "only HTTPS."},
	{ROW(tls_key, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "PEM file with the private key of the API."},
	{ROW(bounce_domain, CONFIG_TEXT, ""), .check = config_check_host,
	 .help = "Domain of the return path (MAIL FROM). Empty: the return path is the From "
		 "address."},
	{ROW(root_key, CONFIG_TEXT, ""), .check = check_root_key, .secrecy = CONFIG_SECRET,
	 .help = "The key that manages projects and keys. Empty: no such key."},
	{ROW(secret, CONFIG_TEXT, ""), .check = check_secret, .secrecy = CONFIG_SECRET,
	 .help = "32 bytes in base64: encrypts secrets in Redis (webhooks, kept responses)."},
	{ROW(relay_url, CONFIG_TEXT, ""), .check = check_relay_url, .secrecy = CONFIG_SECRET_URL,
	 .is_reloadable = true,
	 .help = "Deliver all mail to this server: smtp[s]://[user:password@]host[:port]. With a "
		 "user "
		 "it must have a valid certificate; ?tls=unverified and ?tls=opportunistic at the "
		 "end want less. Empty: deliver to the MX hosts of each domain."},
	{ROW(relay_ca_file, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "PEM file with the CA certificates that the relay's certificate is checked "
		 "against. "
		 "Empty: those of the system."},
	{ROW(smtp_port, CONFIG_NUMBER, "25"), .min = 1, .max = 65535,
	 .help = "Port of the mail servers found by MX."},
	{ROW(helo_name, CONFIG_TEXT, ""), .check = helo_name_check,
	 .help = "Name sent in EHLO, with its domain. Empty: the host name if it has a domain, "
		 "else "
		 "the IP address."},
	{ROW(tls_policy, CONFIG_CHOICE, "opportunistic"), .choices = tls_names,
	 .is_reloadable = true,
	 .help = "TLS to mail servers: opportunistic (used where offered) or required."},
	{ROW(dkim_key, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "Comma-separated list of PEM files with private keys for DKIM: RSA (2048 bits "
		 "recommended) or Ed25519. Each key signs every mail."},
	{ROW(dkim_domain, CONFIG_TEXT, ""), .check = config_check_host, .is_reloadable = true,
	 .help = "DKIM domain (d=)."},
	{ROW(dkim_selector, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "Comma-separated list of DKIM selectors (s=): one for each key, in their order."},
	{ROW(roles, CONFIG_SET, "api,relay,keeper,hooks"), .choices = role_names,
	 .help = "Comma-separated list of roles to run. Fewer than all need redis_url."},
	{ROW(workers_api, CONFIG_NUMBER, "0"), .max = WORKERS_MAX,
	 .help = "Number of API processes. 0: one per core."},
	{ROW(workers_relay, CONFIG_NUMBER, "0"), .max = WORKERS_MAX,
	 .help = "Number of relay processes. 0: one per core."},
	{ROW(durability, CONFIG_CHOICE, "fsync"), .choices = durability_names,
	 .help = "fsync: 202 is sent after Redis has written to disk. replicated: as fsync, and "
		 "after a replica of Redis has confirmed. relaxed: as Redis is configured. Every "
		 "202 names the durability."},
	{ROW(assert_redis_settings, CONFIG_BOOL, "false"),
	 .help = "For a Redis that denies CONFIG: do not check its settings. They must be "
		 "appendonly yes, appendfsync always, maxmemory-policy noeviction."},
	{ROW(require_verified_domain, CONFIG_BOOL, "false"), .is_reloadable = true,
	 .help = "Live keys may only send from verified domains. No effect yet: this version has "
		 "no "
		 "verified domains."},
	{ROW(webhook_allow_private, CONFIG_BOOL, "false"), .is_reloadable = true,
	 .help = "Allow webhooks to private, loopback and link-local addresses, with http and any "
		 "port."},
	{ROW(webhook_ca_file, CONFIG_TEXT, ""), .is_reloadable = true,
	 .help = "PEM file with the CA certificates that webhook servers are checked against. "
		 "Empty: those of the system."},
	{ROW(mx_allow_private, CONFIG_BOOL, "false"), .is_reloadable = true,
	 .help = "Allow MX hosts with private, loopback and link-local addresses."},
	{ROW(dns_servers, CONFIG_TEXT, ""),
	 .help = "Space-separated list of name servers: address[@port]. Empty: those of "
		 "/etc/resolv.conf."},
	{ROW(log_level, CONFIG_CHOICE, "info"), .choices = level_names, .is_reloadable = true,
	 .help = "Least severe level that is logged: debug, info, warn or error."},
	{ROW(log_format, CONFIG_CHOICE, "text"), .choices = format_names,
	 .help = "Format of the log on stderr, one line per event: text or json."},
	{ROW(max_recipients, CONFIG_NUMBER, "50"), .min = 1, .max = 1000, .is_reloadable = true,
	 .help = "Maximum number of recipients of one message."},
	{ROW(max_message_bytes, CONFIG_BYTES, "10MB"), .min = 4 * KB, .max = 25 * MB,
	 .is_reloadable = true, .help = "Largest size of a message after encoding."},
	{ROW(max_body_bytes, CONFIG_BYTES, "16MB"), .min = 4 * KB, .max = 64 * MB,
	 .is_reloadable = true, .help = "Largest size of a request body."},
	{ROW(project_queued_messages, CONFIG_NUMBER, "1000000"), .min = 1,
	 .max = INT64_C(1000000000000), .is_reloadable = true,
	 .help = "Maximum number of messages of one project that are not finished. Test mode: a "
		 "tenth. `postern project set` changes it for a project."},
	{ROW(project_stored_bytes, CONFIG_BYTES, "0"), .max = INT64_C(1) << 50,
	 .is_reloadable = true,
	 .help = "Maximum size of the messages of one project in Redis. Finished messages count "
		 "until the end of retention_s. Test mode: a tenth. 0: 60 % of Redis's maxmemory. "
		 "`postern project set` changes it for a project."},
	{ROW(test_inbox_bytes, CONFIG_BYTES, "64MB"), .min = 4 * MB, .max = 1024 * MB,
	 .is_reloadable = true,
	 .help = "Maximum size of the test inbox of a project in Redis. The oldest mail is "
		 "removed first."},
	{ROW(project_suppressions, CONFIG_NUMBER, "100000"), .min = 1, .max = 100000000,
	 .is_reloadable = true,
	 .help = "Maximum number of addresses on the suppression list of a project, for live and "
		 "test mode each. When there are more, the oldest entries by bounces are removed. "
		 "A full list refuses addresses by request."},
	{ROW(suppression_s, CONFIG_SECONDS, "0"), .max = 3650 * DAY, .is_reloadable = true,
	 .help = "How long an address stays on the suppression list after a bounce. 0: until it is "
		 "removed by request. Addresses that were added by request always stay."},
	{ROW(idempotency_s, CONFIG_SECONDS, "24h"), .min = 1, .max = 7 * DAY,
	 .help = "How long an Idempotency-Key is kept."},
	{ROW(retention_s, CONFIG_SECONDS, "3d"), .min = 1, .max = 365 * DAY, .is_reloadable = true,
	 .help = "How long states and events are kept after a message is finished; at least "
		 "idempotency_s."},
	{ROW(default_deadline_s, CONFIG_SECONDS, "48h"), .min = 1, .max = 7 * DAY,
	 .is_reloadable = true,
	 .help = "How long delivery of a message without deliver_within is tried."},
	{ROW(site_connections, CONFIG_NUMBER, "20"), .min = 1, .max = 1000, .is_reloadable = true,
	 .help = "Maximum number of connections to one site (the hosts that receive mail for a "
		 "domain), over all relays."},
	{ROW(otp_waiting, CONFIG_NUMBER, "1000"), .min = 1, .max = 1000000, .is_reloadable = true,
	 .help = "Maximum number of jobs of one project that wait in lane otp. Its further jobs of "
		 "this lane queue in lane normal, so they do not delay other projects."},
	{ROW(accept_wait_s, CONFIG_SECONDS, "2s"), .max = 5, .is_reloadable = true,
	 .help = "How long a send of lane normal or bulk may wait for its response while the "
		 "relays on this machine cannot keep up. 0: it never waits."},
	{ROW(relay_connections, CONFIG_NUMBER, "200"), .min = 1, .max = 10000,
	 .help = "Maximum number of SMTP connections of one relay process."},
	{ROW(connecting_per_address, CONFIG_NUMBER, "20"), .min = 1, .max = 10000,
	 .help = "Maximum number of SMTP connections of one relay process to one address (IPv6: "
		 "one /64) that are not ready for mail yet. The hosts of relay_url have no such "
		 "limit."},
	{ROW(drain_s, CONFIG_SECONDS, "30s"), .max = HOUR, .is_reloadable = true,
	 .help = "How long open SMTP transactions and requests may take to finish after SIGTERM."},
	{ROW(http_connections, CONFIG_NUMBER, "2000"), .min = 1, .max = 100000,
	 .help = "Maximum number of HTTP connections of one API process."},
	{ROW(http_connections_per_address, CONFIG_NUMBER, "1000"), .min = 1, .max = 100000,
	 .help = "Maximum number of these connections from one client: one IPv4 address, or one "
		 "IPv6 /64."},
	{ROW(trusted_proxies, CONFIG_TEXT, ""), .check = networks_check,
	 .help = "Comma-separated list of addresses and networks of your reverse proxies, like "
		 "10.0.0.0/8. They have no limit of connections per address."},
	{ROW(partitions, CONFIG_NUMBER, "1"), .min = 1, .max = 1024,
	 .help = "Number of partitions of a new store in Redis. Later `postern partitions set` "
		 "raises it."},
	{ROW(retry_first_otp_s, CONFIG_SECONDS, "60s"), .min = 1, .max = DAY, .is_reloadable = true,
	 .help = "Delay before the first retry in lane otp. No connection to an unreachable site "
		 "is "
		 "tried for a third of it, then for longer."},
	{ROW(retry_first_s, CONFIG_SECONDS, "5m"), .min = 1, .max = DAY, .is_reloadable = true,
	 .help = "Delay before the first retry in the other lanes, and the longest time without "
		 "a connection to an unreachable site."},
	{ROW(retry_max_s, CONFIG_SECONDS, "4h"), .min = 1, .max = DAY, .is_reloadable = true,
	 .help = "Longest delay between two attempts."},
	{ROW(webhook_retry_s, CONFIG_SECONDS, "5s"), .min = 1, .max = 300, .is_reloadable = true,
	 .help = "Delay before the second attempt of a webhook. Later delays grow with it: 5s, 5m, "
		 "30m, 2h, 5h, 10h, 14h, 20h, 24h."},
};

const size_t config_rows_count = sizeof(config_rows) / sizeof(config_rows[0]);

const struct config_row *config_row_find(const char *name)
{
	for (size_t i = 0; i < config_rows_count; i++)
		if (strcmp(config_rows[i].name, name) == 0)
			return &config_rows[i];
	return NULL;
}

static bool is_start_of(const char *start, const char *text)
{
	return strncmp(text, start, strlen(start)) == 0;
}

const struct config_row *config_row_like(const char *name)
{
	const struct config_row *best = NULL;
	size_t near = 4;

	if (strlen(name) < 2 || strlen(name) > CONFIG_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct config_row *row = &config_rows[i];
		size_t d = spelling_distance(name, row->name);

		if (d > 1 && (is_start_of(name, row->name) || is_start_of(row->name, name)))
			d = 2;
		if (d < near && d < strlen(row->name)) {
			near = d;
			best = row;
		}
	}
	return best;
}

#ifndef SERVER_REDIS_LINK_URL_H
#define SERVER_REDIS_LINK_URL_H

#include <stdbool.h>

#include "server/base/err.h"

struct config;

/* Where Redis is: redis:// or, with TLS, rediss://[user:password@]host[:port][/db],
 * redis+sentinel:// or rediss+sentinel://[user:password@]host[:port],.../service[?db=n],
 * redis+cluster:// or rediss+cluster://[user:password@]host[:port],..., or
 * unix://[user:password@]/path/to/socket[?db=n], all percent-encoded; without POSTERN_REDIS_URL,
 * the socket of the embedded Redis in the data directory. */

#define REDIS_HOSTS_MAX 8
#define REDIS_SERVICE_MAX 128

struct redis_host {
	char name[256]; /* a name or an address, without brackets */
	int port;
};

struct redis_url {
	char path[108];                  /* Unix socket, "" = TCP */
	struct redis_host host;          /* unless sentinels or a cluster say where it is */
	char service[REDIS_SERVICE_MAX]; /* the name of the master for the sentinels; "" = none */
	bool is_cluster;
	struct redis_host hosts[REDIS_HOSTS_MAX]; /* the sentinels, or nodes of the cluster */
	unsigned n_hosts;
	char user[128];
	char password[256];
	int db;
	bool is_tls;
};

int redis_url_parse(const struct config *config, struct redis_url *url, struct err *e);

/* "redis.example:6379", "[::1]:6379/2", "/path/to/socket?db=2", or "a:26379,b:26379/service?db=2":
 * for messages. A list that is too long is cut. */
#define REDIS_URL_ADDRESS_MAX 400
void redis_url_address(const struct redis_url *url, char address[REDIS_URL_ADDRESS_MAX]);
/* "redis.example:6379" or "[::1]:6379". */
#define REDIS_HOST_TEXT_MAX 272
void redis_host_text(const struct redis_host *host, char text[REDIS_HOST_TEXT_MAX]);
bool redis_host_is(const struct redis_host *a, const struct redis_host *b);

#endif

#ifndef SERVER_REDIS_URL_H
#define SERVER_REDIS_URL_H

#include <stdbool.h>

#include "server/base/err.h"

struct config;

/* Where Redis is: redis:// or, with TLS, rediss://[user:password@]host[:port][/db], or
 * unix://[user:password@]/path/to/socket[?db=n], all percent-encoded; without POSTERN_REDIS_URL,
 * the socket of the embedded Redis in the data directory. */

struct redis_url {
	char path[108]; /* Unix socket, "" = TCP */
	char host[256];
	int port;
	char user[128];
	char password[256];
	int db;
	bool is_tls;
};

int redis_url_parse(const struct config *config, struct redis_url *url, struct err *e);

/* "redis.example:6379", "[::1]:6379/2" or "/path/to/socket?db=2": for messages. */
#define REDIS_URL_ADDRESS_MAX 272
void redis_url_address(const struct redis_url *url, char address[REDIS_URL_ADDRESS_MAX]);

#endif

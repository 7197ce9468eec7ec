#ifndef SERVER_REDIS_URL_H
#define SERVER_REDIS_URL_H

#include "server/base/err.h"

struct config;

/* Where Redis is: redis://[user:password@]host[:port][/db], unix:///path/to/socket, or, when
 * POSTERN_REDIS_URL is not set, the embedded one's socket in the data directory. */

struct redis_url {
	char path[108]; /* Unix socket, "" = TCP */
	char host[256];
	int port;
	char user[128];
	char password[256];
	int db;
};

int redis_url_parse(const struct config *config, struct redis_url *url, struct err *e);

#endif

/* Checks URLs of webhooks. */
#include "server/fetch/fetch_url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "server/mail/address.h"
#include "server/route/netblock.h"

/* RFC 6761, RFC 6762 and RFC 8375, and names that are used for internal networks. */
static const char *const local_suffixes[] = {".localhost", ".local", ".internal", ".lan",
					     ".home.arpa"};

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcasecmp(text + len - n, end) == 0;
}

static bool is_local_name(const char *host)
{
	if (strcasecmp(host, "localhost") == 0 || !strchr(host, '.'))
		return true;
	for (size_t i = 0; i < sizeof(local_suffixes) / sizeof(*local_suffixes); i++)
		if (ends_with(host, local_suffixes[i]))
			return true;
	return false;
}

/* Reads an address in its canonical form. */
static bool read_address(const char *host, struct sockaddr_storage *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	char inner[INET6_ADDRSTRLEN] = "";
	size_t len = strlen(host);

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		memcpy(out, &v4, sizeof(v4));
		return true;
	}
	if (*host != '[' || len < 3 || len - 2 >= sizeof(inner))
		return false;
	memcpy(inner, host + 1, len - 2);
	if (inet_pton(AF_INET6, inner, &v6.sin6_addr) != 1)
		return false;
	memcpy(out, &v6, sizeof(v6));
	return true;
}

/* True if a resolver could read it as a number: 2130706433, 0x7f.1, 127.1. */
static bool looks_numeric(const char *host)
{
	const char *label = strrchr(host, '.') ? strrchr(host, '.') + 1 : host;

	return strspn(label, "0123456789") == strlen(label) || strncasecmp(label, "0x", 2) == 0;
}

static int check_host(const char *host, bool allow_private, struct err *e)
{
	static const char name_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._";
	struct sockaddr_storage address;

	if (read_address(host, &address)) {
		if (!allow_private && netblock_is_private((const struct sockaddr *)&address))
			return err_set(e, ERR_INPUT,
				       "the address is private or reserved, which is not "
				       "allowed");
		return 0;
	}
	if (strspn(host, name_chars) != strlen(host) || looks_numeric(host) || *host == '.' ||
	    ends_with(host, ".") || strstr(host, "..") || strlen(host) > 253)
		return err_set(e, ERR_INPUT,
			       "the host must be a domain name or an address in its usual form");
	if (!allow_private && is_local_name(host))
		return err_set(e, ERR_INPUT,
			       "the host is a name of this machine or its network, which is not "
			       "allowed");
	return 0;
}

/* Other ports could reach services that are not HTTP, on hosts that trust this machine. */
static int check_port(const char *port, bool allow_private, struct err *e)
{
	if (strtoul(port, NULL, 10) > 0 &&
	    (allow_private || strcmp(port, "443") == 0 || strcmp(port, "8443") == 0))
		return 0;
	return err_set(e, ERR_INPUT, "the port must be 443 or 8443");
}

/* u: as libcurl reads the URL, which is what it will connect to. */
static int check_parts(CURLU *u, bool allow_private, struct err *e)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *part = NULL;
	int rc = -1;

	curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
	curl_url_get(u, CURLUPART_HOST, &host, 0);
	curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (!scheme || !host || !port)
		err_set(e, ERR_INPUT, "must be a URL like https://shop.example/hooks");
	else if (strcmp(scheme, "https") != 0 && !(allow_private && strcmp(scheme, "http") == 0))
		err_set(e, ERR_INPUT, "must begin with https://");
	else if (curl_url_get(u, CURLUPART_USER, &part, 0) == CURLUE_OK ||
		 curl_url_get(u, CURLUPART_PASSWORD, &part, 0) == CURLUE_OK)
		err_set(e, ERR_INPUT, "must have no user name or password");
	else if (curl_url_get(u, CURLUPART_FRAGMENT, &part, 0) == CURLUE_OK)
		err_set(e, ERR_INPUT, "must have no fragment (#...)");
	else if (check_host(host, allow_private, e) == 0 && check_port(port, allow_private, e) == 0)
		rc = 0;
	curl_free(part);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return rc;
}

/* Checks the host as it is written: libcurl turns 0x7f.1 into 127.0.0.1. */
static int check_written_host(const char *authority, struct err *e)
{
	char text[256];
	size_t len;

	/* "https://shop.example@10.0.0.1/" leads to 10.0.0.1. */
	if (strcspn(authority, "@") < strcspn(authority, "/?#"))
		return err_set(e, ERR_INPUT, "must have no user name or password");
	len = *authority == '[' ? strcspn(authority, "]") + 1 : strcspn(authority, ":/?#");
	if (len == 0 || len >= sizeof(text) || len > strlen(authority))
		return err_set(e, ERR_INPUT, "the host is missing or too long");
	memcpy(text, authority, len);
	text[len] = 0;
	return check_host(text, true, e);
}

int fetch_url_check(const char *url, bool allow_private, struct err *e)
{
	CURLU *u;
	int rc;

	if (strlen(url) > FETCH_URL_MAX)
		return err_set(e, ERR_INPUT, "is longer than %d characters", FETCH_URL_MAX);
	for (const char *p = url; *p; p++)
		if (*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("\"<>\\^`{|}", *p))
			return err_set(
				e, ERR_INPUT,
				"has a character that a URL must not have; write it as %%XX");
	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return err_set(e, ERR_INPUT,
			       allow_private ? "must begin with https:// or http://"
					     : "must begin with https://");
	/* Both are checked: the host as the user wrote it, and as libcurl reads it. */
	if (check_written_host(strchr(url, ':') + 3, e) < 0)
		return -1;
	u = curl_url();
	if (!u)
		return err_oom(e);
	if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK)
		rc = check_parts(u, allow_private, e);
	else
		rc = err_set(e, ERR_INPUT, "must be a URL like https://shop.example/hooks");
	curl_url_cleanup(u);
	return rc;
}

/* The host of a URL, as it is written. len 0: there is none. */
static const char *find_host(const char *url, size_t *len)
{
	const char *host = strstr(url, "://");

	*len = 0;
	if (!host)
		return url;
	host += 3;
	*len = strcspn(host, ":/?#@[");
	return host;
}

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

int fetch_url_to_ascii(const char *url, char out[FETCH_URL_MAX + 1], struct err *e)
{
	char domain[256];
	size_t len;
	const char *host = find_host(url, &len);
	int n;

	if (is_ascii(host, len))
		n = snprintf(out, FETCH_URL_MAX + 1, "%s", url);
	else if (address_domain_to_ascii(host, len, domain, e) < 0)
		return -1;
	else
		n = snprintf(out, FETCH_URL_MAX + 1, "%.*s%s%s", (int)(host - url), url, domain,
			     host + len);
	if (n < 0 || n > FETCH_URL_MAX)
		return err_set(e, ERR_INPUT, "is longer than %d characters", FETCH_URL_MAX);
	return 0;
}

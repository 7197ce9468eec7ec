/* URLs of the relay: any text gives a URL that holds to its limits, or an error. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/route/relay_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct relay_url url;
	struct err e;

	assert(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (relay_url_parse(text, &url, &e) == 0) {
		assert(url.port != 0);
		assert(url.host[0] && strlen(url.host) < sizeof(url.host));
		assert(!strpbrk(url.host, " \r\n\t[]@/"));
		assert(!strpbrk(url.user, "\r\n") && !strpbrk(url.password, "\r\n"));
		assert(!url.has_user || (url.user[0] && url.password[0]));
		assert((!url.has_user && !url.is_implicit_tls) || url.tls != RELAY_URL_TLS_POLICY);
	}
	free(text);
	return 0;
}

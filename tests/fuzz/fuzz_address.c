/* Addresses from hostile bytes: what is taken is safe in an SMTP command and reads the same again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/mail/address.h"

static void require(int claim)
{
	if (!claim)
		abort();
}

static void check(const struct address *a)
{
	const char *at = strchr(a->email, '@');
	struct address again;
	struct err e;

	require(at && at - a->email <= 64 && at > a->email && !strchr(at + 1, '@'));
	require(strlen(a->email) <= ADDRESS_EMAIL_MAX && strlen(a->name) <= ADDRESS_NAME_MAX);
	require(strchr(at, '.') != NULL);
	for (const char *p = a->email; *p; p++)
		require(*p > ' ' && *p <= '~' && !strchr("<>()[]\\\",;:", *p));
	for (const char *p = a->name; *p; p++)
		require((unsigned char)*p >= ' ' && *p != 0x7f);
	require(address_make(a->email, strlen(a->email), a->name, strlen(a->name), &again, &e) ==
		0);
	require(strcmp(a->email, again.email) == 0 && strcmp(a->name, again.name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address a;
	struct err e;
	char domain[254];

	if (address_parse((const char *)data, size, &a, &e) == 0)
		check(&a);
	if (address_domain_to_ascii((const char *)data, size, domain, &e) == 0)
		require(strlen(domain) <= 253);
	return 0;
}

/* Chooses the name for EHLO. */
#include "server/config/helo_name.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/config/config.h"
#include "server/config/config_table.h"

/* Digits only in the last label: an IPv4 address, which needs brackets. */
static bool ends_in_number(const char *name)
{
	const char *label = strrchr(name, '.') + 1;

	return strspn(label, "0123456789") == strlen(label);
}

const char *helo_name_check(const char *text)
{
	size_t len = strlen(text);

	if (text[0] != '[' && !config_check_host(text) && strchr(text, '.') &&
	    !ends_in_number(text))
		return NULL;
	if (text[0] == '[' && len > 3 && len < 64 && text[len - 1] == ']' &&
	    strspn(text + 1, "0123456789abcdefABCDEFIPv:.") == len - 2)
		return NULL;
	return "a host name with its domain, like mail.example.com, or an address in brackets,";
}

void helo_name_find(const struct config *config, char out[HELO_NAME_MAX])
{
	if (*config->helo_name) {
		snprintf(out, HELO_NAME_MAX, "%s", config->helo_name);
		return;
	}
	memset(out, 0, HELO_NAME_MAX);
	if (gethostname(out, HELO_NAME_MAX - 1) < 0 || helo_name_check(out))
		out[0] = 0;
}

const char *helo_name_warning(const struct config *config)
{
	char name[HELO_NAME_MAX];

	if (!(config->roles & ROLE_RELAY) || *config->relay_url)
		return NULL;
	helo_name_find(config, name);
	if (*name)
		return NULL;
	return "POSTERN_HELO_NAME is not set, and the host name of this machine has no domain: "
	       "EHLO sends the IP address, which many mail servers refuse";
}

/* The sentences for recipients that have no route. */
#include "server/route/reason.h"

#include <stdio.h>

#define NAME_SHOWN 80 /* the text after the name must fit, too */

static const struct {
	bool is_permanent;
	const char *before; /* the name */
	const char *after;
} sentences[] = {
	[REASON_NONE] = {false, "", " has no route"},
	[REASON_BAD_DOMAIN] = {true, "", " is not a domain name"},
	[REASON_NO_DOMAIN] = {true, "", " does not exist in the DNS"},
	[REASON_NULL_MX] = {true, "", " accepts no mail (null MX)"},
	[REASON_NO_MAIL_HOST] = {true, "", " has no mail host: neither MX nor address in the DNS"},
	[REASON_BAD_MX_NAMES] = {true, "the MX records of ", " name no valid host"},
	[REASON_LOOP] = {true, "mail for ",
			 " would come back to this host: its best MX is POSTERN_HELO_NAME"},
	[REASON_OWN_ADDRESS] = {true, "mail for ",
				" would come back to this host: its best MX has our address "
				"(POSTERN_MX_ALLOW_PRIVATE is off)"},
	[REASON_DNS] = {false, "the DNS lookup failed for ", ""},
	[REASON_MX_UNKNOWN] = {true, "none of the MX hosts of ", " exists in the DNS"},
	[REASON_MX_NO_ADDRESS] = {false, "the MX hosts of ", " have no address"},
	[REASON_PRIVATE] = {true, "the MX hosts of ",
			    " have only private or reserved addresses "
			    "(POSTERN_MX_ALLOW_PRIVATE is off)"},
	[REASON_RELAY_NO_ADDRESS] = {false, "the relay ", " has no address (POSTERN_RELAY_URL)"},
	[REASON_BUSY] = {false, "too many DNS lookups are in progress: ", " must wait"},
};

void reason_explain(enum reason reason, const char *name, struct route_failure *out)
{
	out->is_permanent = sentences[reason].is_permanent;
	snprintf(out->text, sizeof(out->text), "%s%.*s%s", sentences[reason].before, NAME_SHOWN,
		 name, sentences[reason].after);
	for (char *c = out->text; *c; c++) {
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	}
}

/* The reply codes and sentences for recipients that have no route. */
#include "server/route/reason.h"

#include <stdio.h>

#define NAME_SHOWN 80 /* so that what follows the name is never cut off */

static const struct {
	bool is_permanent;
	int code;
	const char *before; /* the name */
	const char *after;
} sentences[] = {
	[REASON_NONE] = {false, 451, "4.4.0 ", " has no route"},
	[REASON_BAD_DOMAIN] = {true, 550, "5.1.2 ", " is not a domain name"},
	[REASON_NO_DOMAIN] = {true, 550, "5.1.2 ", " does not exist in the DNS"},
	[REASON_NULL_MX] = {true, 556, "5.1.10 ", " accepts no mail (null MX)"},
	[REASON_NO_MAIL_HOST] = {true, 550, "5.1.2 ",
				 " has no mail host (neither MX nor address in the DNS)"},
	[REASON_BAD_MX_NAMES] = {true, 550, "5.4.4 ", ": its MX records name no valid host"},
	[REASON_LOOP] = {true, 550, "5.4.6 mail for ",
			 " points back to this host (its best MX is POSTERN_HELO_NAME)"},
	[REASON_OWN_ADDRESS] = {true, 550, "5.4.6 mail for ",
				" points to an address of this host "
				"(POSTERN_MX_ALLOW_PRIVATE is off)"},
	[REASON_DNS] = {false, 451, "4.4.3 the DNS gave no answer for ", ""},
	[REASON_MX_UNKNOWN] = {true, 550, "5.4.4 none of the mail hosts of ", " exists in the DNS"},
	[REASON_MX_NO_ADDRESS] = {false, 451, "4.4.4 the mail hosts of ", " have no address"},
	[REASON_PRIVATE] = {true, 550, "5.4.4 the mail hosts of ",
			    " have only private or reserved addresses "
			    "(POSTERN_MX_ALLOW_PRIVATE is off)"},
	[REASON_RELAY_NO_ADDRESS] = {false, 451, "4.4.4 the relay ",
				     " has no address (POSTERN_RELAY_URL)"},
	[REASON_BUSY] = {false, 451, "4.4.3 too many DNS questions are open, ", " must wait"},
};

void reason_explain(enum reason reason, const char *name, struct route_failure *out)
{
	out->is_permanent = sentences[reason].is_permanent;
	out->code = sentences[reason].code;
	snprintf(out->text, sizeof(out->text), "%s%.*s%s", sentences[reason].before, NAME_SHOWN,
		 name, sentences[reason].after);
	for (char *c = out->text; *c; c++) {
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	}
}

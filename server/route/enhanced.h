#ifndef SERVER_ROUTE_ENHANCED_H
#define SERVER_ROUTE_ENHANCED_H

#include <stdbool.h>
#include <stddef.h>

/* Enhanced mail system status codes (RFC 3463, in SMTP replies by RFC 2034):
 *
 *	status  = class "." subject "." detail
 *	class   = "2" / "4" / "5"
 *	subject = 1*3DIGIT
 *	detail  = 1*3DIGIT
 */

/* Zeroed: the reply had none. */
struct enhanced {
	int class; /* 0 = none */
	int subject, detail;
};

/* Reads the code at the start of a reply's text. It ends at a space or at the end of the text.
 * False: there is no code; *out is zeroed. */
bool enhanced_parse(const char *text, size_t len, struct enhanced *out);

#endif

/* The marks of recipients and tags. */
#include "server/store/messages/list_mark.h"

#include <string.h>

#include <openssl/evp.h>

#include "server/base/hex.h"

int list_mark(const char *text, size_t len, char out[LIST_MARK_LEN + 1])
{
	static EVP_MD *sha1; /* fetched once, as in sha256.c */
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (!sha1)
		sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	if (!sha1 || EVP_Digest(text, len, digest, NULL, sha1, NULL) != 1)
		return -1;
	hex_encode(digest, LIST_MARK_LEN / 2, out);
	return 0;
}

int list_mark_recipient(const char *email, char out[LIST_MARK_LEN + 1])
{
	size_t len = strlen(email);
	char lower[512];

	if (len >= sizeof(lower))
		len = sizeof(lower) - 1; /* longer than any address, so it matches nothing */
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)(email[i] >= 'A' && email[i] <= 'Z' ? email[i] + 32 : email[i]);
	return list_mark(lower, len, out);
}

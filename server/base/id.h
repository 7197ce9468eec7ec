#ifndef SERVER_BASE_ID_H
#define SERVER_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Public ids: a prefix of three letters, "_", and 26 characters of lower-case Crockford base32
 * ("0123456789abcdefghjkmnpqrstvwxyz"): 10 for the time in ms (so ids sort by time), 14 random (70
 * bits), and 2 for the partition of the store (0-1023; "00": the object belongs to no partition).
 */

#define ID_LEN 30 /* "msg_" + 26 */
#define ID_PARTITIONS 1024

struct id {
	char text[ID_LEN + 1];
};

/* prefix: "msg", "key", "prj" ... The random part is from random.h. */
struct id id_make(const char *prefix, unsigned partition);
/* True if text is an id of this kind. Checks prefix, length and alphabet, so a valid id is safe as
 * a part of a Redis key. */
bool id_valid(const char *prefix, const char *text);
/* The partition in a valid id. */
unsigned id_partition(const char *id);
/* The time in a valid id, ms since 1970. */
int64_t id_ms(const char *id);

/* Writes len characters of this alphabet, one for the low 5 bits of each octet, and a NUL; out has
 * len + 1 bytes. out and bytes may be the same. */
void id_write(char *out, const void *bytes, size_t len);
/* Writes len random characters of this alphabet (5 bits each) and a NUL; out has len + 1 bytes. */
void id_random(char *out, size_t len);

#endif

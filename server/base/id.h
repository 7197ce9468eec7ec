#ifndef SERVER_BASE_ID_H
#define SERVER_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Public ids: a prefix of three letters, "_", and 26 characters of lower-case Crockford base32
 * ("0123456789abcdefghjkmnpqrstvwxyz"): 10 of time (ms, so ids sort), 14 random (70 bits), and 2
 * that name the partition of the store (0-1023; "00" where there is none). */

#define ID_LEN 30 /* "msg_" + 26 */
#define ID_PARTITIONS 1024

struct id {
	char text[ID_LEN + 1];
};

/* prefix: "msg", "key", "prj" ... The random part is from random.h. */
struct id id_make(const char *prefix, unsigned partition);
/* Is text an id of this kind? Checks length and alphabet, so that it may become part of a key. */
bool id_valid(const char *prefix, const char *text);
unsigned id_partition(const char *id);
/* The time in a valid id, ms since 1970. */
int64_t id_ms(const char *id);

/* len characters of the alphabet above from the kernel's random source, then a NUL. */
void id_random(char *out, size_t len);

#endif

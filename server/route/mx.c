/* Chooses among the MX records of a domain. */
#include "server/route/mx.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SITE_READABLE_MAX 120

static bool is_label_char(char c)
{
	return isascii((unsigned char)c) && (isalnum((unsigned char)c) || c == '-' || c == '_');
}

/* RFC 1035 2.3.4, and _, which some MX hosts have. A last label of digits alone would be an IPv4
 * address. */
bool mx_is_host_name(const char *name)
{
	size_t label = 0;
	size_t len = strlen(name);
	bool is_number = true;

	if (len == 0 || len > 253)
		return false;
	for (const char *c = name; *c; c++) {
		if (*c == '.') {
			if (label == 0)
				return false;
			label = 0;
			is_number = true;
			continue;
		}
		if (!is_label_char(*c) || ++label > 63)
			return false;
		is_number = is_number && isdigit((unsigned char)*c);
	}
	return label > 0 && !is_number;
}

static bool is_repeat(const struct dns_mx *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].name, name) == 0)
			return true;
	}
	return false;
}

/* The number of records that are preferred to our own; all if none is ours. */
static size_t count_before_own(const struct dns_mx *list, size_t n, const char *own_name)
{
	size_t own = 0;

	while (own < n && strcasecmp(list[own].name, own_name) != 0)
		own++;
	if (own == n)
		return n;
	while (own > 0 && list[own - 1].preference == list[own].preference)
		own--;
	return own;
}

enum reason mx_keep_hosts(struct dns_mx *list, size_t *n, const char *own_name)
{
	size_t kept = 0;
	size_t before_own;

	/* RFC 7505: a null MX, the domain takes no mail. */
	if (*n == 1 && !list[0].name[0])
		return REASON_NULL_MX;
	for (size_t i = 0; i < *n; i++) {
		if (mx_is_host_name(list[i].name) && !is_repeat(list, kept, list[i].name))
			list[kept++] = list[i];
	}
	if (kept == 0)
		return REASON_BAD_MX_NAMES;
	/* RFC 5321 5.1: mail goes only to hosts that are preferred to ourselves. */
	before_own = count_before_own(list, kept, own_name);
	if (before_own == 0)
		return REASON_LOOP;
	*n = before_own;
	return REASON_NONE;
}

static uint64_t hash_name(uint64_t hash, const char *name)
{
	/* FNV-1a. The NUL counts: "a", "bc" is not "ab", "c". */
	do {
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	} while (*name++);
	return hash;
}

/* The site of all domains with the same best hosts. They share connections and limits. The hash
 * makes a site of long names differ from others. */
void mx_site(const struct dns_mx *list, size_t n, char site[ROUTE_SITE_MAX])
{
	uint64_t hash = 0xcbf29ce484222325u;
	size_t len = 0;
	bool is_readable = true;

	for (size_t i = 0; i < n && list[i].preference == list[0].preference; i++) {
		size_t name_len = strlen(list[i].name);

		hash = hash_name(hash, list[i].name);
		is_readable = is_readable && len + name_len < SITE_READABLE_MAX;
		if (!is_readable)
			continue;
		if (i > 0)
			site[len++] = ',';
		memcpy(site + len, list[i].name, name_len + 1);
		len += name_len;
	}
	if (!is_readable)
		snprintf(site, ROUTE_SITE_MAX, "%.230s+%016" PRIx64, list[0].name, hash);
}

uint64_t mx_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Fisher and Yates. */
static void shuffle_group(struct dns_mx *list, size_t n, uint64_t *random)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)(mx_random(random) % i);
		struct dns_mx swap = list[i - 1];

		list[i - 1] = list[j];
		list[j] = swap;
	}
}

void mx_shuffle(struct dns_mx *list, size_t n, uint64_t *random)
{
	size_t start = 0;

	for (size_t i = 1; i <= n; i++) {
		if (i < n && list[i].preference == list[start].preference)
			continue;
		shuffle_group(list + start, i - start, random);
		start = i;
	}
}

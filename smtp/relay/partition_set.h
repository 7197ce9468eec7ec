#ifndef SMTP_RELAY_PARTITION_SET_H
#define SMTP_RELAY_PARTITION_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/id.h"

/* A set of partitions. Zeroed is empty. */

#define PARTITION_WORDS (ID_PARTITIONS / 64)

struct partition_set {
	uint64_t words[PARTITION_WORDS];
};

static inline bool partition_set_has(const struct partition_set *s, unsigned p)
{
	return s->words[p / 64] >> p % 64 & 1;
}

static inline void partition_set_add(struct partition_set *s, unsigned p)
{
	s->words[p / 64] |= (uint64_t)1 << p % 64;
}

static inline void partition_set_remove(struct partition_set *s, unsigned p)
{
	s->words[p / 64] &= ~((uint64_t)1 << p % 64);
}

static inline unsigned partition_set_count(const struct partition_set *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PARTITION_WORDS; i++)
		n += (unsigned)__builtin_popcountll(s->words[i]);
	return n;
}

/* Adds all partitions of `more`. */
static inline void partition_set_join(struct partition_set *s, const struct partition_set *more)
{
	for (unsigned i = 0; i < PARTITION_WORDS; i++)
		s->words[i] |= more->words[i];
}

/* The first n partitions that are not in s. */
static inline struct partition_set partition_set_others(const struct partition_set *s, unsigned n)
{
	struct partition_set others = {{0}};

	for (unsigned i = 0; i * 64 < n; i++) {
		uint64_t all = n - i * 64 < 64 ? ((uint64_t)1 << (n - i * 64)) - 1 : UINT64_MAX;

		others.words[i] = all & ~s->words[i];
	}
	return others;
}

#endif

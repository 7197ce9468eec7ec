/* Chooses connections that do nothing, for mail that waits for a connection. */
#include "smtp/relay/yield.h"

#include <stdbool.h>
#include <stddef.h>

#include "server/base/clock.h"
#include "smtp/relay/site.h"

enum kind { KIND_IDLE, KIND_WAITS, KIND_SILENT, KIND_NONE };

struct choice {
	struct channel *channel; /* NULL = none */
	enum kind kind;
	unsigned share;
	int64_t since_ms;
};

static enum kind kind_of(const struct channel *c, enum channel_state state, int64_t latest_ms)
{
	if (state == CHANNEL_IDLE)
		return KIND_IDLE;
	if (channel_waits_for_address(c))
		return KIND_WAITS;
	return channel_since_ms(c) <= latest_ms ? KIND_SILENT : KIND_NONE;
}

static bool is_better(const struct choice *a, const struct choice *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind;
	if (a->share != b->share)
		return a->share > b->share;
	return a->since_ms < b->since_ms;
}

static void choose_from(const struct site *s, enum channel_state state, int64_t latest_ms,
			struct choice *best)
{
	for (struct channel *c = s->channels.lists[state].first; c; c = channel_next(c)) {
		struct choice choice = {c, kind_of(c, state, latest_ms), channel_share(c),
					channel_since_ms(c)};

		if (is_better(&choice, best))
			*best = choice;
	}
}

static struct channel *choose(const struct sites *sites, int64_t silent_ms)
{
	struct choice best = {.kind = KIND_NONE, .share = UINT32_MAX};
	int64_t latest_ms = clock_mono_ms() - silent_ms;

	for (const struct site *s = sites->first; s; s = s->next) {
		choose_from(s, CHANNEL_IDLE, latest_ms, &best);
		choose_from(s, CHANNEL_CONNECTING, latest_ms, &best);
	}
	return best.channel;
}

unsigned yield_connections(struct sites *sites, unsigned most, int64_t silent_ms)
{
	struct channel *c;
	unsigned n = 0;

	for (; n < most && (c = choose(sites, silent_ms)); n++)
		channel_yield(c);
	return n;
}

/* Chooses connections that do nothing, for mail that waits for a connection. */
#include "smtp/relay/yield.h"

#include <stdbool.h>
#include <stddef.h>

#include "server/base/clock.h"
#include "smtp/relay/site.h"

#define IDLE_MS 1000 /* a tenant that sends now and then keeps its connection */
/* Replies to MAIL and RCPT may take longer than a greeting: servers look up the sender, or call
 * it back. A mail that ends there has cost an attempt. */
#define REPLY_FACTOR 4

enum kind { KIND_IDLE, KIND_WAITS, KIND_SILENT, KIND_IN_MAIL, KIND_NONE };

struct choice {
	struct channel *channel; /* NULL = none */
	enum kind kind;
	unsigned share;
	int64_t since_ms;
};

static enum kind kind_of(const struct channel *c, enum channel_state state, int64_t silent_ms)
{
	int64_t ms = clock_mono_ms() - channel_since_ms(c);

	if (channel_has_yielded(c)) /* it connects until the loop closes its connection */
		return KIND_NONE;
	if (state == CHANNEL_IDLE)
		return ms >= IDLE_MS ? KIND_IDLE : KIND_NONE;
	if (state == CHANNEL_BUSY)
		return channel_is_before_body(c) && ms >= silent_ms * REPLY_FACTOR ? KIND_IN_MAIL
										   : KIND_NONE;
	if (channel_waits_for_address(c))
		return KIND_WAITS;
	return ms >= silent_ms ? KIND_SILENT : KIND_NONE;
}

static bool is_better(const struct choice *a, const struct choice *b)
{
	if (a->kind == KIND_NONE || b->kind == KIND_NONE)
		return a->kind < b->kind;
	if (a->share != b->share)
		return a->share > b->share;
	if (a->kind != b->kind)
		return a->kind < b->kind;
	return a->since_ms < b->since_ms;
}

static void choose_from(const struct site *s, enum channel_state state, int64_t silent_ms,
			struct choice *best)
{
	for (struct channel *c = s->channels.lists[state].first; c; c = channel_next(c)) {
		struct choice choice = {c, kind_of(c, state, silent_ms), channel_share(c),
					channel_since_ms(c)};

		if (is_better(&choice, best))
			*best = choice;
	}
}

static struct channel *choose(const struct sites *sites, int64_t silent_ms)
{
	struct choice best = {.kind = KIND_NONE};

	for (const struct site *s = sites->first; s; s = s->next) {
		choose_from(s, CHANNEL_IDLE, silent_ms, &best);
		choose_from(s, CHANNEL_CONNECTING, silent_ms, &best);
		choose_from(s, CHANNEL_BUSY, silent_ms, &best);
	}
	return best.channel;
}

void yield_connections(struct sites *sites, unsigned most, int64_t silent_ms)
{
	struct channel *c;

	for (unsigned n = 0; n < most && (c = choose(sites, silent_ms)); n++)
		channel_yield(c);
}

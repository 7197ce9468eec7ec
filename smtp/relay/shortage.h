#ifndef SMTP_RELAY_SHORTAGE_H
#define SMTP_RELAY_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/store/queue/take.h"

/* What a relay does when it has too few connections for the ready mail: connections that do nothing
 * yield, and the store is not asked all the time. The replies to rounds that ask for new
 * connections say whether there are too few. */

struct sites;

/* Zeroed; then the owner fills in sites. */
struct shortage {
	struct sites *sites;
	bool is_short;   /* the last round got too few connections */
	bool is_probe;   /* this round opens none, and asks whether mail of capped tenants waits */
	bool has_capped; /* some tenants may open no connection; the owner sets it */

	/* For shortage.c alone. */
	enum take_waiting waiting; /* the most that a reply of this round said */
	int64_t probe_ms;          /* monotonic: the next probe is due */
	unsigned room;             /* connections that were left after the last round */
	int64_t until_ms;          /* monotonic: then the store is asked again */
	int64_t otp_since_ms;      /* monotonic; 0 = lane otp does not wait */
	int64_t otp_report_ms;     /* the next report is due */
};

/* A round that asks for new connections begins. Sets is_probe. */
void shortage_start_round(struct shortage *s);
/* A reply of the round. */
void shortage_hear(struct shortage *s, enum take_waiting waiting);
/* All replies have arrived, and their slots are counted. Connections may end within it. */
void shortage_end_round(struct shortage *s);
/* True if a round may ask for new connections: there are more than after the last one, or some time
 * has passed. */
bool shortage_may_ask(const struct shortage *s);

#endif

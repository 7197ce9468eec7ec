#ifndef SERVER_STORE_QUEUE_ACCEPT_PACE_H
#define SERVER_STORE_QUEUE_ACCEPT_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/loop.h"
#include "server/base/turns.h"
#include "server/store/messages/lane.h"

/* Slows accepts while the relays of this machine cannot keep up (smtp/limits/load.h), because each
 * accept takes processor time from them. Messages of the lanes that are behind, and of lower ones,
 * wait so that the machine accepts at most five recipients for four that it finishes. The tenants
 * whose messages wait take turns. A message waits for at most accept_wait_s, and none is refused.
 * Lane otp never waits. */

/* A message that waits. */
struct paced {
	struct turns_item turn; /* the first member */
	char tenant[TURNS_TENANT_MAX];
	enum lane lane;
	int64_t until_ms; /* monotonic */
	int64_t weight;   /* recipients */
};

typedef void accept_pace_fn(struct paced *message);

struct accept_pace {
	struct loop_timer timer;
	accept_pace_fn *go;
	struct turns waiting;
	bool is_behind[LANES];
	int64_t looked_ms, finished; /* at the last look: recipients with a result */
	int64_t filled_ms;
	int64_t rate;   /* recipients a second that this process may accept */
	int64_t credit; /* thousandths of recipients */
};

/* go: called for each message that has waited. -1: out of memory. */
int accept_pace_init(struct accept_pace *p, struct loop *loop, accept_pace_fn *go);
/* True: the message, of which tenant, lane and weight are set, waits; go is called later. wait_ms:
 * its maximum. */
bool accept_pace_holds(struct accept_pace *p, struct paced *message, int64_t wait_ms);
/* Lets all go. */
void accept_pace_end(struct accept_pace *p);
void accept_pace_deinit(struct accept_pace *p);

#endif

/* Reads the record of a message. */
#include "server/store/messages/record.h"

#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "server/base/buf.h"
#include "server/base/number.h"

/* A record is lines of words. lua/lib/record.lua has the grammar; the places of the words
 * (RECORD_HEAD_LANE ...) are generated from it. */

#define RECIPIENTS_MAX 100000

static const char *const state_names[] = {
	[STATE_QUEUED] = "queued",         [STATE_SCHEDULED] = "scheduled",
	[STATE_DEFERRED] = "deferred",     [STATE_HELD] = "held",
	[STATE_DELIVERED] = "delivered",   [STATE_BOUNCED] = "bounced",
	[STATE_EXPIRED] = "expired",       [STATE_CANCELED] = "canceled",
	[STATE_SUPPRESSED] = "suppressed", [STATE_FAILED] = "failed",
};
#define STATES (sizeof(state_names) / sizeof(state_names[0]))

/* The order of states from least to most finished. The least finished recipient decides the status
 * of a message. */
static const enum recipient_state least_first[] = {STATE_HELD, STATE_SCHEDULED, STATE_QUEUED,
						   STATE_DEFERRED};

const char *recipient_state_name(enum recipient_state state)
{
	return state_names[state];
}

bool recipient_state_is_terminal(enum recipient_state state)
{
	return state >= STATE_DELIVERED;
}

struct cursor {
	char *p; /* NULL after the first missing word */
};

/* The next word, ended by `end`, NUL-terminated in place; NULL when there is none. */
static char *word(struct cursor *c, char end)
{
	char *start = c->p, *stop = start ? strchr(start, end) : NULL;
	char *space = start && end == '\n' ? NULL : (start ? strchr(start, '\n') : NULL);

	if (!stop || (space && space < stop)) {
		c->p = NULL;
		return NULL;
	}
	*stop = 0;
	c->p = stop + 1;
	return start;
}

/* A line of n words. -1: it has fewer. */
static int line(struct cursor *c, char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		words[i] = word(c, i + 1 < n ? ' ' : '\n');
	return c->p ? 0 : -1;
}

/* Reads a word that must be a number; else the cursor fails. */
static int64_t as_number(struct cursor *c, const char *text)
{
	int64_t n = 0;

	if (!text || number_parse(text, strlen(text), 0, INT64_MAX, &n) < 0)
		c->p = NULL;
	return n;
}

static int64_t number(struct cursor *c, char end)
{
	return as_number(c, word(c, end));
}

static bool is(const char *text, const char *name)
{
	return text && strcmp(text, name) == 0;
}

static int head(struct cursor *c, struct record *r)
{
	char *w[RECORD_HEAD_WORDS];

	if (line(c, w, RECORD_HEAD_WORDS) < 0)
		return -1;
	r->project = w[RECORD_HEAD_PROJECT];
	r->accepted_ms = as_number(c, w[RECORD_HEAD_ACCEPTED_MS]);
	r->deadline_ms = as_number(c, w[RECORD_HEAD_DEADLINE_MS]);
	as_number(c, w[RECORD_HEAD_OPEN]);
	as_number(c, w[RECORD_HEAD_EVENTS]);
	r->n_jobs = (size_t)as_number(c, w[RECORD_HEAD_JOBS]);
	r->n_recipients = (size_t)as_number(c, w[RECORD_HEAD_RECIPIENTS]);
	r->packed_bytes = (size_t)as_number(c, w[RECORD_HEAD_BYTES]);
	r->chunks = (size_t)as_number(c, w[RECORD_HEAD_CHUNKS]);
	r->sender = w[RECORD_HEAD_SENDER];
	if (!c->p || !is(w[RECORD_HEAD_VERSION], "1") || r->n_jobs > RECIPIENTS_MAX ||
	    r->n_recipients > RECIPIENTS_MAX)
		return -1;
	for (r->lane = LANE_OTP; !is(w[RECORD_HEAD_LANE], lane_name(r->lane)); r->lane++)
		if (r->lane == LANE_BULK)
			return -1;
	r->is_test = is(w[RECORD_HEAD_MODE], "test");
	choices_read(w[RECORD_HEAD_CHOICES], &r->choices);
	return 0;
}

static int jobs(struct cursor *c, struct record *r)
{
	char *w[RECORD_JOB_WORDS];

	for (size_t j = 0; j < r->n_jobs; j++) {
		if (line(c, w, RECORD_JOB_WORDS) < 0)
			return -1;
		r->jobs[j].is_done = as_number(c, w[RECORD_JOB_OPEN]) == 0;
		as_number(c, w[RECORD_JOB_CRASHES]);
		as_number(c, w[RECORD_JOB_EPOCH]);
		as_number(c, w[RECORD_JOB_SETTLED_EPOCH]);
		r->jobs[j].destination = w[RECORD_JOB_DESTINATION];
		if (!c->p)
			return -1;
	}
	return 0;
}

static int state_of(const char *name, enum recipient_state *state)
{
	for (size_t i = 0; name && i < STATES; i++) {
		if (strcmp(name, state_names[i]) == 0) {
			*state = (enum recipient_state)i;
			return 0;
		}
	}
	return -1;
}

static int recipients(struct cursor *c, struct record *r)
{
	char *w[RECORD_RECIPIENT_WORDS];

	for (size_t i = 0; i < r->n_recipients; i++) {
		struct record_recipient *o = &r->recipients[i];

		if (line(c, w, RECORD_RECIPIENT_WORDS) < 0 ||
		    state_of(w[RECORD_RECIPIENT_STATE], &o->state) < 0)
			return -1;
		o->job = (unsigned)as_number(c, w[RECORD_RECIPIENT_JOB]);
		o->attempts = (unsigned)as_number(c, w[RECORD_RECIPIENT_ATTEMPTS]);
		o->code = (int)as_number(c, w[RECORD_RECIPIENT_CODE]);
		o->at_ms = as_number(c, w[RECORD_RECIPIENT_AT_MS]);
		as_number(c, w[RECORD_RECIPIENT_EVENT]);
		o->email = w[RECORD_RECIPIENT_EMAIL];
		o->text = "";
		if (!c->p || o->job >= r->n_jobs)
			return -1;
	}
	return 0;
}

/* True if the event has a reply of a server, or the reason why there is none. */
static bool has_reply(const struct record_event *ev)
{
	static const enum recipient_state others[] = {STATE_QUEUED,   STATE_SCHEDULED,
						      STATE_HELD,     STATE_EXPIRED,
						      STATE_CANCELED, STATE_SUPPRESSED};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(ev->type, state_names[others[i]]) == 0)
			return false;
	return true;
}

static void note_event(struct record_recipient *o, const struct record_event *ev)
{
	o->possible_duplicate |= ev->possible_duplicate;
	o->is_suppressed |= ev->is_suppressed;
	if (o->has_reply && !has_reply(ev))
		return;
	o->has_reply = has_reply(ev);
	o->code = ev->code;
	o->text = ev->text;
}

static int event(struct cursor *c, struct record *r)
{
	struct record_event *list = list_room(r->events, r->n_events, sizeof(*list)), *ev;
	const char *who, *flag;

	if (!list)
		return -1;
	r->events = list;
	ev = &list[r->n_events];
	ev->n = (unsigned)number(c, ' ');
	ev->type = word(c, ' ');
	who = word(c, ' ');
	ev->at_ms = number(c, ' ');
	ev->code = (int)number(c, ' ');
	flag = word(c, ' ');
	ev->possible_duplicate = is(flag, "dup");
	ev->is_suppressed = is(flag, "sup");
	ev->text = word(c, '\n');
	if (!ev->text)
		return 0;
	ev->recipient = *who == '-' ? SIZE_MAX : strtoul(who, NULL, 10);
	if (ev->recipient < r->n_recipients) {
		note_event(&r->recipients[ev->recipient], ev);
	} else if (ev->recipient != SIZE_MAX) {
		return 0;
	}
	r->n_events++;
	return 0;
}

static int attempt(struct cursor *c, struct record *r)
{
	struct record_attempt *list = list_room(r->attempts, r->n_attempts, sizeof(*list)), *a;
	struct cursor line = {word(c, '\n')};

	if (!list)
		return -1;
	r->attempts = list;
	a = &list[r->n_attempts];
	word(&line, ' '); /* the "a" */
	a->job = (unsigned)number(&line, ' ');
	a->epoch = number(&line, ' ');
	a->n_events = (size_t)number(&line, ' ');
	a->line = line.p;
	if (!line.p || a->job >= r->n_jobs || a->n_events > r->n_events)
		return 0;
	a->first_event = r->n_events - a->n_events;
	r->n_attempts++;
	return 0;
}

/* <n> <type> <recipient or -> <at ms> <code> <dup or -> <text>
 * a <job> <epoch> <events> <attempt> */
static int history(struct cursor *c, struct record *r)
{
	while (c->p && *c->p)
		if ((strncmp(c->p, "a ", 2) == 0 ? attempt(c, r) : event(c, r)) < 0)
			return -1;
	return 0;
}

int record_parse(const char *text, size_t len, struct record *out, struct err *e)
{
	struct record r = {0};
	struct cursor c;

	r.copy = malloc(len + 1);
	if (!r.copy)
		return err_oom(e);
	memcpy(r.copy, text, len);
	r.copy[len] = 0;
	c.p = r.copy;
	if (strlen(r.copy) != len || head(&c, &r) < 0)
		goto damaged;
	r.jobs = calloc(r.n_jobs + 1, sizeof(*r.jobs));
	r.recipients = calloc(r.n_recipients + 1, sizeof(*r.recipients));
	if (!r.jobs || !r.recipients) {
		record_deinit(&r);
		return err_oom(e);
	}
	if (jobs(&c, &r) < 0 || recipients(&c, &r) < 0)
		goto damaged;
	r.facts = word(&c, '\n');
	if (!r.facts)
		goto damaged;
	if (history(&c, &r) < 0) {
		record_deinit(&r);
		return err_oom(e);
	}
	*out = r;
	return 0;
damaged:
	record_deinit(&r);
	return err_set(e, ERR_INTERNAL, "the record of the message is damaged");
}

void record_deinit(struct record *r)
{
	free(r->jobs);
	free(r->recipients);
	free(r->events);
	free(r->attempts);
	free(r->copy);
	*r = (struct record){0};
}

const struct record_event *record_find_event(const struct record *r, unsigned n)
{
	for (size_t i = 0; i < r->n_events; i++)
		if (r->events[i].n == n)
			return &r->events[i];
	return NULL;
}

const char *record_status(const struct record *r)
{
	for (size_t s = 0; s < sizeof(least_first) / sizeof(least_first[0]); s++)
		for (size_t i = 0; i < r->n_recipients; i++)
			if (r->recipients[i].state == least_first[s])
				return state_names[least_first[s]];
	for (size_t i = 1; i < r->n_recipients; i++)
		if (r->recipients[i].state != r->recipients[0].state)
			return "mixed";
	return r->n_recipients ? state_names[r->recipients[0].state] : "mixed";
}

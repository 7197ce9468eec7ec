#ifndef TESTS_UNIT_STORE_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_STORE_FIXTURE_H

#include "server/store/messages/messages.h"
#include "server/store/queue/accept.h"
#include "server/store/queue/job.h"
#include "server/store/queue/job_lease.h"
#include "server/store/queue/release.h"
#include "server/store/queue/settle.h"
#include "server/store/queue/slots.h"
#include "server/store/queue/take.h"
#include "tests/unit/redis/redis_fixture.h"

/* Messages in the store of the fixture: accept, read and settle them. */

#define OWNER "own_1"
#define PROJECT "1"
#define FINGERPRINT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MAIL "Subject: hello\r\n\r\nA short mail that is long enough to be worth packing.\r\n"

struct accepted {
	int calls;
	enum accept_status status;
	char id[ID_LEN + 1];
	char suppressed[32];
	int64_t at_ms;
	struct err why;
};

static void on_accepted(enum accept_status status, const char *id, int64_t at_ms,
			const char *suppressed, const struct err *why, void *arg)
{
	struct accepted *a = arg;

	snprintf(a->suppressed, sizeof(a->suppressed), "%s", suppressed);

	a->calls++;
	a->status = status;
	a->at_ms = at_ms;
	snprintf(a->id, sizeof(a->id), "%s", id);
	a->why = why ? *why : (struct err){0};
}

static const char *const one_recipient[] = {"ann@example.test"};

/* A plain live message to one recipient. */
static inline struct accept_request plain_message(const struct fixture *f)
{
	unsigned partition = accept_partition(f->store, PROJECT, NULL);

	return (struct accept_request){.id = id_make("msg", partition),
				       .project = PROJECT,
				       .lane = LANE_NORMAL,
				       .sender = "shop@example.test",
				       .emails = one_recipient,
				       .n_emails = 1,
				       .within_ms = 3600000,
				       .fingerprint = FINGERPRINT,
				       .facts = "{\"subject\":\"hello\"}",
				       .mail = MAIL,
				       .mail_len = sizeof(MAIL) - 1};
}

static inline void accept_one(struct fixture *f, const struct accept_request *m, struct accepted *a)
{
	*a = (struct accepted){0};
	accept_message(f->store, m, on_accepted, a);
	wait_call(f, &a->calls);
}

static inline struct accepted accept_plain(struct fixture *f)
{
	struct accept_request m = plain_message(f);
	struct accepted a;

	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	return a;
}

struct looked_at {
	int calls;
	bool is_found;
	enum err_kind kind;
	char status[16], state[16], text[200], project[12], facts[200];
	unsigned attempts;
	bool possible_duplicate;
	int64_t next_attempt_ms;
	size_t n_recipients;
};

static void on_message(const struct record *record, const struct err *why, void *arg)
{
	struct looked_at *l = arg;

	l->calls++;
	l->is_found = record;
	l->kind = why ? why->kind : ERR_NONE;
	if (!record)
		return;
	snprintf(l->status, sizeof(l->status), "%s", record_status(record));
	snprintf(l->state, sizeof(l->state), "%s",
		 recipient_state_name(record->recipients[0].state));
	snprintf(l->text, sizeof(l->text), "%s", record->recipients[0].text);
	snprintf(l->project, sizeof(l->project), "%s", record->project);
	snprintf(l->facts, sizeof(l->facts), "%s", record->facts);
	l->attempts = record->recipients[0].attempts;
	l->possible_duplicate = record->recipients[0].possible_duplicate;
	l->next_attempt_ms = record->jobs[0].next_attempt_ms;
	l->n_recipients = record->n_recipients;
}

static inline struct looked_at look_at(struct fixture *f, const char *project, const char *id)
{
	struct looked_at l = {0};

	messages_get(f->store, project, id, on_message, &l);
	wait_call(f, &l.calls);
	return l;
}

struct settled {
	int calls;
	enum settle_end how;
};

static inline void on_settled(enum settle_end how, void *arg)
{
	struct settled *s = arg;

	s->calls++;
	s->how = how;
}

/* Deferred recipients are tried again after retry_ms. */
static inline enum settle_end settle_retry(struct fixture *f, const char *ref, int64_t epoch,
					   int64_t retry_ms, const char *results)
{
	struct settled s = {0};

	settle_results(f->store, OWNER, ref, epoch, retry_ms, results, on_settled, &s);
	wait_call(f, &s.calls);
	return s.how;
}

static inline enum settle_end settle(struct fixture *f, const char *ref, int64_t epoch,
				     const char *results)
{
	return settle_retry(f, ref, epoch, 60000, results);
}

#endif

/* What follows a transaction within the same attempt. */
#include <stdio.h>
#include <string.h>

#include "server/route/enhanced.h"
#include "smtp/relay/delivery.h"
#include "smtp/relay/followup.h"
#include "smtp/client/host_walk.h"
#include "tests/unit/unit.h"

static struct connection_result remote(enum connection_outcome outcome, enum connection_phase phase,
				       int code, const char *text)
{
	struct connection_result r = {
		.outcome = outcome, .source = SOURCE_REMOTE, .phase = phase, .code = code};

	snprintf(r.text, sizeof(r.text), "%s", text);
	enhanced_parse(text, strlen(text), &r.enhanced);
	return r;
}

static void each_temporary_reply_has_its_followup(void **state)
{
	static const struct {
		enum connection_phase phase;
		int code;
		const char *text;
		enum followup wanted;
	} rows[] = {
		{PHASE_MAIL, 452, "4.3.1 no space", FOLLOWUP_OTHER_HOST},
		{PHASE_MAIL, 451, "4.1.8 sender's domain not found", FOLLOWUP_OTHER_HOST},
		{PHASE_MAIL, 421, "4.3.2 closing", FOLLOWUP_OTHER_HOST},
		{PHASE_RCPT, 450, "4.3.2 not now", FOLLOWUP_OTHER_HOST},
		{PHASE_RCPT, 450, "later", FOLLOWUP_OTHER_HOST},
		{PHASE_RCPT, 450, "4.7.1 cannot find your hostname", FOLLOWUP_OTHER_HOST},
		{PHASE_DATA, 451, "4.3.0 no", FOLLOWUP_OTHER_HOST},
		{PHASE_DOT, 451, "4.3.0 queue is full", FOLLOWUP_OTHER_HOST},
		{PHASE_RCPT, 450, "4.2.0 Greylisted", FOLLOWUP_NONE},
		{PHASE_RCPT, 451, "Graylisting in effect", FOLLOWUP_NONE},
		{PHASE_RCPT, 450, "4.7.1 try again in 300 seconds", FOLLOWUP_NONE},
		{PHASE_RCPT, 452, "4.2.2 mailbox full", FOLLOWUP_NONE},
		{PHASE_RCPT, 450, "4.1.1 unknown for now", FOLLOWUP_NONE},
		{PHASE_DOT, 452, "4.2.2 mailbox full", FOLLOWUP_NONE},
		{PHASE_DOT, 451, "4.7.1 Greylisting", FOLLOWUP_NONE},
		{PHASE_RCPT, 452, "4.5.3 too many recipients", FOLLOWUP_SAME_HOST},
		{PHASE_RCPT, 452, "too many", FOLLOWUP_SAME_HOST},
		{PHASE_RCPT, 552, "Too many recipients", FOLLOWUP_SAME_HOST},
		{PHASE_RCPT, 550, "5.5.3 too many recipients", FOLLOWUP_SAME_HOST},
		{PHASE_RCPT, 452, "4.3.1 insufficient storage", FOLLOWUP_OTHER_HOST},
		{PHASE_RCPT, 552, "mailbox full", FOLLOWUP_NONE},
		{PHASE_MAIL, 452, "4.5.3 too many", FOLLOWUP_OTHER_HOST},
		{PHASE_GREETING, 421, "4.3.2 closing", FOLLOWUP_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct connection_result r =
			remote(OUTCOME_DEFERRED, rows[i].phase, rows[i].code, rows[i].text);

		if (followup_of(&r) != rows[i].wanted)
			fail_msg("%d %s: %d", rows[i].code, rows[i].text, followup_of(&r));
	}
}

static void other_outcomes_have_theirs(void **state)
{
	static const struct {
		struct connection_result result;
		enum followup wanted;
	} rows[] = {
		{{.outcome = OUTCOME_DELIVERED, .phase = PHASE_DOT, .code = 250}, FOLLOWUP_NONE},
		{{.outcome = OUTCOME_BOUNCED, .phase = PHASE_RCPT, .code = 550}, FOLLOWUP_NONE},
		{{.outcome = OUTCOME_UNKNOWN, .phase = PHASE_DOT}, FOLLOWUP_NONE},
		{{.outcome = OUTCOME_TOO_BIG}, FOLLOWUP_OTHER_HOST},
		{{.outcome = OUTCOME_UNTRIED, .phase = PHASE_RCPT}, FOLLOWUP_OTHER_HOST},
		{{.outcome = OUTCOME_DEFERRED, .phase = PHASE_BODY, .text = "reset"},
		 FOLLOWUP_OTHER_HOST},
		{{.outcome = OUTCOME_DEFERRED, .text = "no route"}, FOLLOWUP_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(followup_of(&rows[i].result), rows[i].wanted);
}

#define RECIPIENTS 6

struct bench {
	struct delivery delivery;
	const char *recipients[RECIPIENTS];
	unsigned numbers[RECIPIENTS];
	struct connection_result results[RECIPIENTS];
};

/* The result of each recipient as a letter: delivered, bounced, too many, other host, greylisted.
 */
static void make(struct bench *b, const char *letters)
{
	*b = (struct bench){.delivery = {.recipients = b->recipients,
					 .numbers = b->numbers,
					 .results = b->results,
					 .n_recipients = strlen(letters),
					 .n_open = strlen(letters)}};
	for (unsigned i = 0; i < b->delivery.n_recipients; i++) {
		b->numbers[i] = i;
		b->results[i] =
			letters[i] == 'd'   ? remote(OUTCOME_DELIVERED, PHASE_DOT, 250, "ok")
			: letters[i] == 'b' ? remote(OUTCOME_BOUNCED, PHASE_RCPT, 550, "5.1.1 no")
			: letters[i] == 't' ? remote(OUTCOME_DEFERRED, PHASE_RCPT, 452, "4.5.3 no")
			: letters[i] == 'o' ? remote(OUTCOME_DEFERRED, PHASE_RCPT, 451, "4.3.2 no")
					    : remote(OUTCOME_DEFERRED, PHASE_RCPT, 450, "greylist");
	}
	b->delivery.route.n_hosts = 2;
	snprintf(b->delivery.route.hosts[0].name, 256, "one");
	snprintf(b->delivery.route.hosts[1].name, 256, "two");
}

static void recipients_are_sorted_for_the_next_transaction(void **state)
{
	static const struct {
		const char *letters;
		enum followup wanted;
		size_t n_open, n_ended;
		const char *order; /* numbers of the first n_open, then the rest in any order */
	} rows[] = {
		{"ddtt", FOLLOWUP_SAME_HOST, 2, 2, "23"},
		{"dbtgto", FOLLOWUP_SAME_HOST, 2, 2, "24"},
		{"tttd", FOLLOWUP_SAME_HOST, 3, 1, "012"},
		{"gt", FOLLOWUP_SAME_HOST, 1, 0, "1"},
		{"do", FOLLOWUP_OTHER_HOST, 1, 1, "1"},
		{"ogob", FOLLOWUP_OTHER_HOST, 2, 1, "02"},
		{"tt", FOLLOWUP_OTHER_HOST, 2, 0, "01"},
		{"dbg", FOLLOWUP_NONE, 3, 0, "012"},
		{"d", FOLLOWUP_NONE, 1, 0, "0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench b;

		make(&b, rows[i].letters);
		assert_int_equal(followup_plan(&b.delivery, "one"), rows[i].wanted);
		assert_int_equal(b.delivery.n_open, rows[i].n_open);
		assert_int_equal(b.delivery.n_ended, rows[i].n_ended);
		for (size_t j = 0; rows[i].order[j]; j++)
			assert_int_equal(b.numbers[j], rows[i].order[j] - '0');
		for (size_t j = b.delivery.n_recipients - b.delivery.n_ended;
		     j < b.delivery.n_recipients; j++)
			assert_true(b.results[j].outcome == OUTCOME_DELIVERED ||
				    b.results[j].outcome == OUTCOME_BOUNCED);
	}
}

static void each_host_is_tried_once(void **state)
{
	struct bench b;

	(void)state;
	make(&b, "o");
	assert_int_equal(followup_plan(&b.delivery, "one"), FOLLOWUP_OTHER_HOST);
	assert_int_equal(b.delivery.route.n_hosts, 1);
	assert_string_equal(b.delivery.route.hosts[0].name, "two");
	assert_int_equal(followup_plan(&b.delivery, "two"), FOLLOWUP_NONE);
}

static void a_host_stays_when_another_of_its_addresses_let_the_channel_in(void **state)
{
	static const struct {
		const char *names[3]; /* the hosts of the channel, in order */
		size_t at;            /* the one that let it in */
		size_t n_left;
		const char *left;
	} rows[] = {
		{{"one", "one", "two"}, 0, 2, "one"},
		{{"one", "one", "two"}, 1, 2, "one"},
		{{"one", "one", "two"}, 2, 1, "two"},
		{{"two", "one", "one"}, 2, 1, "one"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host_walk w = {.route = {.n_hosts = 3}, .at = rows[i].at};
		struct bench b;

		for (size_t k = 0; k < 3; k++)
			snprintf(w.route.hosts[k].name, 256, "%s", rows[i].names[k]);
		make(&b, "o");
		followup_avoid_failed(&b.delivery, &w);
		assert_int_equal(b.delivery.route.n_hosts, rows[i].n_left);
		assert_string_equal(b.delivery.route.hosts[0].name, rows[i].left);
	}
}

static void replies_about_our_means_are_corrected(void **state)
{
	static const struct {
		int code;
		bool is_relay, has_tls_failed;
		enum connection_outcome wanted;
	} rows[] = {
		{530, false, false, OUTCOME_BOUNCED},  {535, false, false, OUTCOME_BOUNCED},
		{530, true, false, OUTCOME_DEFERRED},  {530, false, true, OUTCOME_DEFERRED},
		{503, false, false, OUTCOME_DEFERRED},
	};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&b, "o");
		b.results[0].code = rows[i].code;
		b.delivery.route.is_relay = rows[i].is_relay;
		followup_correct(&b.delivery, 1, rows[i].has_tls_failed);
		assert_int_equal(b.results[0].outcome, rows[i].wanted);
	}
	make(&b, "b");
	b.results[0] = remote(OUTCOME_BOUNCED, PHASE_RCPT, 550, "5.5.3 Too many recipients");
	followup_correct(&b.delivery, 1, false);
	assert_int_equal(b.results[0].outcome, OUTCOME_DEFERRED);
}

UNIT_TESTS(cmocka_unit_test(each_temporary_reply_has_its_followup),
	   cmocka_unit_test(other_outcomes_have_theirs),
	   cmocka_unit_test(recipients_are_sorted_for_the_next_transaction),
	   cmocka_unit_test(each_host_is_tried_once),
	   cmocka_unit_test(a_host_stays_when_another_of_its_addresses_let_the_channel_in),
	   cmocka_unit_test(replies_about_our_means_are_corrected))

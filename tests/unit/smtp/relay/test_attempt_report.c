/* The description of an attempt: which steps are its own, and that none counts twice. */
#include <stdio.h>
#include <string.h>

#include "server/store/messages/attempt.h"
#include "smtp/client/transcript.h"
#include "smtp/relay/attempt_report.h"
#include "smtp/relay/delivery.h"
#include "tests/unit/unit.h"

struct bench {
	struct delivery delivery;
	struct connection_facts facts;
	struct transcript transcript;
	struct attempt_source source;
};

/* Taken at 1000, routed from 1001 to 1010; a connection for it from 1015, ready at 1045; sent at
 * 1050.
 */
static void make(struct bench *b)
{
	*b = (struct bench){
		.delivery = {.started_ms = 1000,
			     .asked_ms = 1001,
			     .routed_ms = 1010,
			     .sent_ms = 1050},
		.facts = {.host = "mx.test",
			  .ip = "192.0.2.1",
			  .port = 25,
			  .source_ip = "192.0.2.9"},
		.transcript = {.opened_ms = 1015},
	};
	b->source = (struct attempt_source){.facts = &b->facts, .transcript = &b->transcript};
	for (int i = 0; i < PHASES; i++)
		b->transcript.phase_ms[i] = -1;
	b->transcript.phase_ms[PHASE_CONNECT] = 10;
	b->transcript.phase_ms[PHASE_GREETING] = 15;
	b->transcript.phase_ms[PHASE_EHLO] = 5;
	b->transcript.phase_ms[PHASE_MAIL] = 30;
	b->transcript.phase_ms[PHASE_DOT] = 20;
}

/* Steps as "n9w10c10...". */
static void check(const struct bench *b, const struct attempt_source *source, const char *steps)
{
	struct attempt a;
	char line[ATTEMPT_MAX], wanted[200];
	int64_t sum = 0;

	attempt_report_describe(&b->delivery, source, 1100, &a);
	for (int i = ATTEMPT_NONE + 1; i < ATTEMPT_STEPS; i++)
		sum += a.steps_ms[i] > 0 ? a.steps_ms[i] : 0;
	assert_true(sum <= a.took_ms);
	attempt_format(&a, line);
	snprintf(wanted, sizeof(wanted), "0 100 %s ", steps);
	if (strncmp(line, wanted, strlen(wanted)) != 0)
		fail_msg("%s is not %s", line, wanted);
}

static void opening_a_connection_counts_for_the_attempt_it_was_opened_for(void **state)
{
	struct bench b;

	(void)state;
	make(&b);
	check(&b, &b.source, "n9w10c10g15e5m30q20");
	b.transcript.opened_ms = 1009; /* before the route was known: for somebody else */
	check(&b, &b.source, "n9w40m30q20");
	make(&b);
	b.transcript.is_reused = true;
	check(&b, &b.source, "n9w40m30q20");
}

static void an_attempt_that_was_not_sent_has_the_steps_it_reached(void **state)
{
	struct bench b;

	(void)state;
	make(&b);
	b.delivery.sent_ms = 0;
	b.transcript.phase_ms[PHASE_MAIL] = b.transcript.phase_ms[PHASE_DOT] = -1;
	check(&b, &b.source, "n9w60c10g15e5");
	b.transcript.opened_ms = 1005;
	check(&b, &b.source, "n9w90");
	check(&b, NULL, "n9w90");
	b.delivery.routed_ms = 0;
	check(&b, NULL, "n99");
	b.delivery.asked_ms = 0;
	check(&b, NULL, "-");
}

static void a_test_message_has_no_dns_step(void **state)
{
	struct bench b;

	(void)state;
	make(&b);
	b.delivery.asked_ms = 0;
	check(&b, &b.source, "w10c10g15e5m30q20");
}

static void the_outcome_of_tls_is_shown(void **state)
{
	struct bench b;
	struct attempt a;

	(void)state;
	make(&b);
	attempt_report_describe(&b.delivery, &b.source, 1100, &a);
	assert_int_equal(a.tls, ATTEMPT_TLS_NONE);
	assert_string_equal(a.host, "mx.test");
	assert_string_equal(a.ip, "192.0.2.1");
	assert_int_equal(a.port, 25);
	assert_string_equal(a.source, "192.0.2.9");
	b.source.has_tls_failed = true; /* and this one is in clear */
	attempt_report_describe(&b.delivery, &b.source, 1100, &a);
	assert_int_equal(a.tls, ATTEMPT_TLS_FAILED);
	b.source.has_tls_failed = false;
	b.facts.has_tls_failed = true;
	attempt_report_describe(&b.delivery, &b.source, 1100, &a);
	assert_int_equal(a.tls, ATTEMPT_TLS_FAILED);
	b.facts.has_tls_failed = false;
	snprintf(b.facts.tls_version, sizeof(b.facts.tls_version), "TLSv1.3");
	attempt_report_describe(&b.delivery, &b.source, 1100, &a);
	assert_int_equal(a.tls, ATTEMPT_TLS_UNVERIFIED);
	b.facts.is_verified = true;
	attempt_report_describe(&b.delivery, &b.source, 1100, &a);
	assert_int_equal(a.tls, ATTEMPT_TLS_VERIFIED);
}

UNIT_TESTS(cmocka_unit_test(opening_a_connection_counts_for_the_attempt_it_was_opened_for),
	   cmocka_unit_test(an_attempt_that_was_not_sent_has_the_steps_it_reached),
	   cmocka_unit_test(a_test_message_has_no_dns_step),
	   cmocka_unit_test(the_outcome_of_tls_is_shown))

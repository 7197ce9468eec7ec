/* Which refusals put an address on the suppression list. */
#include "server/route/bounce.h"
#include "tests/unit/unit.h"

static void only_refusals_about_the_address_count(void **state)
{
	static const struct {
		int code;
		const char *text;
		bool is_recipient;
	} cases[] = {
		{550, "5.1.1 <a@b.example>: Recipient address rejected", true},
		{550, "5.1.1", true},
		{553, "5.1.3 bad address syntax", true},
		{550, "5.1.10 RESOLVER.ADR.RecipientNotFound", true},
		{550, "5.2.1 the account is disabled", true},
		{550, "No such user here", true},
		{550, "5.1.1 User unknown in relay recipient table", true},
		{550, "sorry, USER UNKNOWN", true},
		{450, "4.1.1 user unknown in a moment", false},
		{450, "5.1.1 mixed up", false},
		{550, "5.2.2 mailbox full, no such user", false},
		{550, "5.7.1 blocked, user unknown to us", false},
		{550, "5.1.2 bad destination system", false},
		{550, "5.1.8 bad sender's domain", false},
		{554, "5.7.26 DMARC", false},
		{552, "5.3.4 too big", false},
		{550, "5.1.11 unassigned", false},
		{550, "5.1.1.9 odd no words", false},
		{550, "4.1.1 class and code differ", false},
		{550, "mailbox unavailable", false},
		{550, "", false},
		{0, "the connection broke", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (bounce_is_recipient(cases[i].code, cases[i].text) != cases[i].is_recipient)
			fail_msg("%d %s", cases[i].code, cases[i].text);
}

static void a_refusal_that_names_the_sender_its_rate_or_reputation_does_not_count(void **state)
{
	static const char *const texts[] = {
		"5.1.1 <orders@shop.example>: Sender address rejected: User unknown",
		"5.2.1 The user you are trying to contact is receiving mail at a rate that "
		"prevents "
		"additional messages from being delivered.",
		"5.2.1 The user you are trying to contact is receiving mail too quickly; too many",
		"Verification failed for <orders@shop.example> Unrouteable address Sender verify "
		"failed",
		"5.1.1 user unknown: your IP has a poor reputation",
		"5.1.1 SPF check failed, no such user",
		"5.2.1 mailbox disabled for this SENDER",
		"user unknown; your message was classified as spam",
		"5.1.1 rejected by policy, user unknown",
		"5.1.1 MAIL FROM domain does not exist",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (bounce_is_recipient(550, texts[i]))
			fail_msg("%s", texts[i]);
	/* Parts of words do not count. */
	assert_true(bounce_is_recipient(550, "5.1.1 no such user at Corporate Mail"));
}

UNIT_TESTS(cmocka_unit_test(only_refusals_about_the_address_count),
	   cmocka_unit_test(a_refusal_that_names_the_sender_its_rate_or_reputation_does_not_count))

/* Signatures, sealed secrets, filters and ids of events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/seal.h"
#include "server/hooks/engine.h"
#include "server/events/event.h"
#include "server/events/sign.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define UNPADDED "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define OTHER_KEY "HxwdHhscGRoYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="

static void a_signature_is_what_others_compute(void **state)
{
	/* printf 'evt_1.1700000000.{"a":1}' | openssl dgst -sha256 -mac HMAC -macopt
	 * hexkey:000102...1f -binary | base64 */
	static const char body[] = "{\"a\":1}";
	const struct sign_input in = {"evt_1", 1700000000, body, strlen(body)};
	struct buf out = {0};

	(void)state;
	assert_int_equal(sign_append("whsec_" KEY, &in, &out), 0);
	assert_string_equal(buf_text(&out), "v1,hUVxIYXs8Zy9GDiZD1uQbBwXoZGMAB6RVLdZZ3ffmek=");
	assert_int_equal(sign_append("whsec_" OTHER_KEY, &in, &out), 0);
	assert_non_null(strstr(buf_text(&out), " v1,"));
	assert_int_equal(sign_append("whsec_", &in, &out), -1);
	assert_int_equal(sign_append(KEY, &in, &out), -1);
	assert_int_equal(sign_append("whsec_AAAA", &in, &out), -1);
	buf_deinit(&out);
}

static void a_new_secret_signs_and_is_never_the_same(void **state)
{
	char a[SIGN_SECRET_TEXT], b[SIGN_SECRET_TEXT];
	const struct sign_input in = {"evt_1", 1, "", 0};
	struct buf out = {0};

	(void)state;
	sign_make_secret(a);
	sign_make_secret(b);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), strlen("whsec_" KEY));
	assert_int_equal(sign_append(a, &in, &out), 0);
	buf_deinit(&out);
}

static void what_was_sealed_opens_in_its_place_only(void **state)
{
	struct buf sealed = {0}, again = {0}, out = {0};
	struct err e;

	(void)state;
	assert_int_equal(seal_text(KEY, "webhook whk_1", "whsec_x", &sealed, &e), 0);
	assert_int_equal(seal_text(KEY, "webhook whk_1", "whsec_x", &again, &e), 0);
	assert_string_not_equal(buf_text(&sealed), buf_text(&again));
	assert_null(strstr(buf_text(&sealed), "whsec"));
	assert_int_equal(seal_open(KEY, "webhook whk_1", buf_text(&sealed), &out, &e), 0);
	assert_string_equal(buf_text(&out), "whsec_x");
	buf_reset(&out);
	assert_int_equal(seal_open(UNPADDED, "webhook whk_1", buf_text(&sealed), &out, &e), 0);
	assert_string_equal(buf_text(&out), "whsec_x");
	assert_int_equal(seal_open(KEY "=", "webhook whk_1", buf_text(&sealed), &out, &e), -1);
	assert_int_equal(seal_open(KEY, "webhook whk_2", buf_text(&sealed), &out, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_int_equal(seal_open(OTHER_KEY, "webhook whk_1", buf_text(&sealed), &out, &e), -1);
	assert_int_equal(seal_open("", "webhook whk_1", buf_text(&sealed), &out, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_int_equal(seal_text("", "webhook whk_1", "x", &out, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.text, "POSTERN_SECRET"));
	for (size_t i = 3; i < sealed.len; i++) {
		char was = sealed.data[i];

		sealed.data[i] = was == 'A' ? 'B' : 'A';
		buf_reset(&out);
		/* The last digit before the pads has bits that are not used. */
		if (seal_open(KEY, "webhook whk_1", sealed.data, &out, &e) == 0)
			assert_true(i + 3 >= sealed.len);
		sealed.data[i] = was;
	}
	for (size_t len = 0; len < sealed.len; len++) {
		char *cut = strndup(sealed.data, len);

		assert_int_equal(seal_open(KEY, "webhook whk_1", cut, &out, &e), -1);
		free(cut);
	}
	buf_deinit(&sealed);
	buf_deinit(&again);
	buf_deinit(&out);
}

static void filters_fit_types(void **state)
{
	(void)state;
	assert_true(event_filter_fits("*", "delivered"));
	assert_true(event_filter_fits("message.*", "delivered"));
	assert_true(event_filter_fits("message.de*", "deferred"));
	assert_true(event_filter_fits("message.delivered", "delivered"));
	assert_false(event_filter_fits("message.delivered", "deferred"));
	assert_false(event_filter_fits("message.deliver", "delivered"));
	assert_false(event_filter_fits("domain.*", "delivered"));
	assert_false(event_filter_fits("", "delivered"));
	assert_true(event_filter_is_known("message.failed"));
	assert_false(event_filter_is_known("message.sent"));
	assert_false(event_filter_is_known("domain.*"));
	assert_false(event_filter_is_known("message.*x"));
}

static void ids_of_events_differ_by_message_and_number(void **state)
{
	char a[EVENT_ID_LEN + 1], b[EVENT_ID_LEN + 1], c[EVENT_ID_LEN + 1];

	(void)state;
	event_id("msg_01kcs9g2f0w8m3q7z5xv4tn6rb", 1, a);
	event_id("msg_01kcs9g2f0w8m3q7z5xv4tn6rb", 2, b);
	event_id("msg_01kcs9g2f0w8m3q7z5xv4tn6rc", 1, c);
	assert_string_equal(a, "evt_01kcs9g2f0w8m3q7z5xv4tn6rb0001");
	assert_string_not_equal(a, b);
	assert_string_not_equal(a, c);
}

static void an_id_of_an_event_leads_back_to_it_and_nothing_else_does(void **state)
{
	static const char *const bad[] = {"",
					  "evt_",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb00011",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb000G",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb 001",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb+001",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb00AA",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rU0001",
					  "msg_01kcs9g2f0w8m3q7z5xv4tn6rb0001"};
	char message[ID_LEN + 1] = "";
	unsigned n = 0;

	(void)state;
	assert_int_equal(event_read_id("evt_01kcs9g2f0w8m3q7z5xv4tn6rb00fa", message, &n), 0);
	assert_string_equal(message, "msg_01kcs9g2f0w8m3q7z5xv4tn6rb");
	assert_int_equal(n, 250);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(event_read_id(bad[i], message, &n), -1);
}

static void members_of_the_retries_are_read_or_refused(void **state)
{
	static const char *const bad[] = {"",
					  "1",
					  "1 msg_x 2",
					  "x msg_01kcs9g2f0w8m3q7z5xv4tn6rb 2",
					  "1 msg_01kcs9g2f0w8m3q7z5xv4tn6rb",
					  "1 msg_01kcs9g2f0w8m3q7z5xv4tn6rb 2 3"};
	char message[ID_LEN + 1];
	unsigned tries, n;

	(void)state;
	assert_int_equal(
		post_read_member("3 msg_01kcs9g2f0w8m3q7z5xv4tn6rb 17", &tries, message, &n), 0);
	assert_int_equal(tries, 3);
	assert_int_equal(n, 17);
	assert_string_equal(message, "msg_01kcs9g2f0w8m3q7z5xv4tn6rb");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(post_read_member(bad[i], &tries, message, &n), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_is_what_others_compute),
		cmocka_unit_test(a_new_secret_signs_and_is_never_the_same),
		cmocka_unit_test(what_was_sealed_opens_in_its_place_only),
		cmocka_unit_test(filters_fit_types),
		cmocka_unit_test(ids_of_events_differ_by_message_and_number),
		cmocka_unit_test(an_id_of_an_event_leads_back_to_it_and_nothing_else_does),
		cmocka_unit_test(members_of_the_retries_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

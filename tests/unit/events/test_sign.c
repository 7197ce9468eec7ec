/* Signatures of Standard Webhooks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/events/sign.h"
#include "tests/unit/unit.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER_KEY "HxwdHhscGRoYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="

static void a_signature_equals_that_of_openssl(void **state)
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

static void a_secret_that_was_written_signs(void **state)
{
	const unsigned char random[SIGN_SECRET_BYTES] = {1, 2, 3};
	char a[SIGN_SECRET_TEXT];
	const struct sign_input in = {"evt_1", 1, "", 0};
	struct buf out = {0};

	(void)state;
	sign_write_secret(random, a);
	assert_memory_equal(a, "whsec_AQIDAAAA", 14);
	assert_int_equal(strlen(a), strlen("whsec_" KEY));
	assert_int_equal(sign_append(a, &in, &out), 0);
	buf_deinit(&out);
}

UNIT_TESTS(cmocka_unit_test(a_signature_equals_that_of_openssl),
	   cmocka_unit_test(a_secret_that_was_written_signs))

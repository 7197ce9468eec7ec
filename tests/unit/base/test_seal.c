/* Sealed texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/seal.h"
#include "tests/unit/unit.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define UNPADDED "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define OTHER_KEY "HxwdHhscGRoYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="

static void a_sealed_text_opens_only_where_it_belongs(void **state)
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

static void texts_of_up_to_8192_octets_are_sealed(void **state)
{
	static char text[8194];
	struct buf sealed = {0}, out = {0};
	struct err e;

	(void)state;
	memset(text, 'x', 8192);
	assert_int_equal(seal_text(KEY, "a", text, &sealed, &e), 0);
	assert_int_equal(seal_open(KEY, "a", buf_text(&sealed), &out, &e), 0);
	assert_string_equal(buf_text(&out), text);
	buf_reset(&sealed);
	text[8192] = 'x';
	assert_int_equal(seal_text(KEY, "a", text, &sealed, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	buf_deinit(&sealed);
	buf_deinit(&out);
}

UNIT_TESTS(cmocka_unit_test(a_sealed_text_opens_only_where_it_belongs),
	   cmocka_unit_test(texts_of_up_to_8192_octets_are_sealed))

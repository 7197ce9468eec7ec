/* The packed bytes of mails: they come back as they were, and damage is seen. */
#include "server/store/messages/content.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/id.h"
#include "tests/unit/unit.h"

#define LIMIT ((size_t)1 << 20)

static char *make_mail(size_t len, bool is_noise)
{
	char *mail = malloc(len + 1);

	assert_non_null(mail);
	memset(mail, 'x', len + 1);
	if (is_noise)
		id_random(mail, len);
	return mail;
}

static void packed_bytes_come_back_unchanged(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 17, 255, 256, 257, 4096, 65535, 65536, 1 << 20};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t len = sizes[i / 2];
		char *mail = make_mail(len, i % 2);
		struct buf packed = {0}, out = {0};
		struct err e = {0};

		buf_str(&out, "before");
		assert_int_equal(content_pack(mail, len, &packed, &e), 0);
		assert_true(packed.len <= len + 1);
		assert_true(packed.data[0] == 'd' || packed.data[0] == 'r');
		if (content_unpack(packed.data, packed.len, LIMIT, &out, &e) < 0)
			fail_msg("%zu bytes: %s", len, e.text);
		assert_int_equal(out.len, 6 + len);
		assert_memory_equal(out.data, "before", 6);
		assert_memory_equal(out.data + 6, mail, len);
		assert_int_equal(out.data[out.len], 0);
		buf_deinit(&packed);
		buf_deinit(&out);
		free(mail);
	}
}

static void text_is_compressed_and_random_bytes_are_not(void **state)
{
	char *plain = make_mail(4096, false), noise[33];
	struct buf packed = {0};
	struct err e;

	(void)state;
	assert_int_equal(content_pack(plain, 4096, &packed, &e), 0);
	assert_int_equal(packed.data[0], 'd');
	assert_true(packed.len < 100);
	buf_reset(&packed);
	id_random(noise, 32);
	assert_int_equal(content_pack(noise, 32, &packed, &e), 0);
	assert_int_equal(packed.data[0], 'r');
	assert_int_equal(packed.len, 33);
	buf_deinit(&packed);
	free(plain);
}

static void no_more_than_the_limit_comes_out(void **state)
{
	(void)state;
	for (int is_noise = 0; is_noise < 2; is_noise++) {
		char *mail = make_mail(1000, is_noise);
		struct buf packed = {0}, out = {0};
		struct err e;

		assert_int_equal(content_pack(mail, 1000, &packed, &e), 0);
		assert_int_equal(content_unpack(packed.data, packed.len, 999, &out, &e), -1);
		assert_int_equal(e.kind, ERR_INTERNAL);
		assert_int_equal(out.len, 0);
		assert_int_equal(content_unpack(packed.data, packed.len, 1000, &out, &e), 0);
		buf_deinit(&packed);
		buf_deinit(&out);
		free(mail);
	}
}

static void damage_is_an_error_and_never_a_mail(void **state)
{
	char *mail = make_mail(3000, true);
	struct buf packed = {0}, out = {0};
	struct err e;

	(void)state;
	memset(mail + 1000, 'y', 1000);
	assert_int_equal(content_pack(mail, 3000, &packed, &e), 0);
	assert_int_equal(packed.data[0], 'd');
	for (size_t len = 0; len < packed.len; len++) {
		char *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, packed.data, len);
		assert_int_equal(content_unpack(cut, len, LIMIT, &out, &e), -1);
		free(cut);
	}
	for (size_t i = 0; i < 40; i++) {
		char was = packed.data[i];

		packed.data[i] = (char)(was ^ 0x55);
		buf_reset(&out);
		if (content_unpack(packed.data, packed.len, LIMIT, &out, &e) == 0)
			assert_true(out.len <= LIMIT);
		packed.data[i] = was;
	}
	assert_int_equal(content_unpack("x123", 4, LIMIT, &out, &e), -1);
	assert_int_equal(content_unpack("z", 1, LIMIT, &out, &e), -1);
	assert_int_equal(content_unpack("d", 1, LIMIT, &out, &e), -1);
	assert_int_equal(content_unpack(NULL, 0, LIMIT, &out, &e), -1);
	buf_deinit(&packed);
	buf_deinit(&out);
	free(mail);
}

static void a_full_buffer_is_an_error(void **state)
{
	struct buf packed = {.limit = 10}, out = {.limit = 10};
	char *mail = make_mail(1000, true);
	struct err e;

	(void)state;
	assert_int_equal(content_pack(mail, 1000, &packed, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_int_equal(content_unpack("r0123456789012345", 17, LIMIT, &out, &e), -1);
	buf_deinit(&packed);
	buf_deinit(&out);
	free(mail);
}

UNIT_TESTS(cmocka_unit_test(packed_bytes_come_back_unchanged),
	   cmocka_unit_test(text_is_compressed_and_random_bytes_are_not),
	   cmocka_unit_test(no_more_than_the_limit_comes_out),
	   cmocka_unit_test(damage_is_an_error_and_never_a_mail),
	   cmocka_unit_test(a_full_buffer_is_an_error))

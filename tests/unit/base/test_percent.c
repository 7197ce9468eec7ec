/* Percent-encoding. */
#include <string.h>

#include "server/base/percent.h"
#include "tests/unit/unit.h"

static void escapes_are_decoded_and_broken_ones_refused(void **state)
{
	static const struct {
		const char *text, *decoded; /* NULL: refused */
		size_t len;
	} rows[] = {
		{"", "", 0},
		{"plain", "plain", 5},
		{"a%40b%3A%2f", "a@b:/", 5},
		{"%c3%BC", "\xc3\xbc", 2},
		{"%00x", "\0x", 2},
		{"%25%32%35", "%25", 3},
		{"%", NULL, 0},
		{"%4", NULL, 0},
		{"a%4", NULL, 0},
		{"%4g", NULL, 0},
		{"%g4", NULL, 0},
		{"%%41", NULL, 0},
		{"%+1", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char out[32];
		long n = percent_decode(rows[i].text, strlen(rows[i].text), out, sizeof(out));

		assert_int_equal(n, rows[i].decoded ? (long)rows[i].len : -1);
		if (rows[i].decoded)
			assert_memory_equal(out, rows[i].decoded, rows[i].len + 1);
	}
}

static void text_that_does_not_fit_is_cut_and_counted(void **state)
{
	char out[4] = "zzz";

	(void)state;
	assert_int_equal(percent_decode("%41%42%43%44", 12, out, sizeof(out)), 4);
	assert_string_equal(out, "ABC");
	assert_int_equal(percent_decode("AB", 2, NULL, 0), 2);
}

static void a_text_is_decoded_in_its_own_place(void **state)
{
	char text[] = "%41bc%20";

	(void)state;
	assert_int_equal(percent_decode(text, strlen(text), text, sizeof(text)), 4);
	assert_string_equal(text, "Abc ");
}

static void every_octet_survives_both_directions(void **state)
{
	(void)state;
	for (int octet = 0; octet < 256; octet++) {
		char code[PERCENT_LEN], back[2];

		percent_encode((unsigned char)octet, code);
		assert_int_equal(percent_decode(code, sizeof(code), back, sizeof(back)), 1);
		assert_int_equal((unsigned char)back[0], octet);
	}
}

UNIT_TESTS(cmocka_unit_test(escapes_are_decoded_and_broken_ones_refused),
	   cmocka_unit_test(text_that_does_not_fit_is_cut_and_counted),
	   cmocka_unit_test(a_text_is_decoded_in_its_own_place),
	   cmocka_unit_test(every_octet_survives_both_directions))

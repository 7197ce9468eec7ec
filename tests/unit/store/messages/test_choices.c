/* The choices of a message as a word of its record. */
#include <string.h>

#include "server/store/messages/choices.h"
#include "tests/unit/unit.h"

static void choices_that_are_written_are_read_again(void **state)
{
	char word[CHOICES_WORD_MAX];
	struct message_choices o;

	(void)state;
	choices_write(&(struct message_choices){.fail_on_unknown = true}, word);
	assert_string_equal(word, "fail");
	choices_read(word, &o);
	assert_true(o.fail_on_unknown);
	choices_write(&(struct message_choices){.fail_on_unknown = false}, word);
	assert_string_equal(word, "-");
	choices_read(word, &o);
	assert_false(o.fail_on_unknown);
}

static void unknown_names_are_ignored(void **state)
{
	static const struct {
		const char *word;
		bool fail_on_unknown;
	} rows[] = {{NULL, false},        {"", false},        {",", false},
		    {"fails", false},     {"fai", false},     {"later,fail", true},
		    {"fail,later", true}, {",,fail,,", true}, {"FAIL", false}};
	struct message_choices o;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		choices_read(rows[i].word, &o);
		assert_int_equal(o.fail_on_unknown, rows[i].fail_on_unknown);
	}
}

UNIT_TESTS(cmocka_unit_test(choices_that_are_written_are_read_again),
	   cmocka_unit_test(unknown_names_are_ignored))

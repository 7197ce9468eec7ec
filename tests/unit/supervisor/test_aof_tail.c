/* Which ends of Redis's append-only file may be cut off. */

#include <stdio.h>
#include <string.h>

#include "server/supervisor/aof_tail.h"
#include "tests/unit/unit.h"

#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC "*1\r\n$4\r\nEXEC\r\n"
#define SELECT "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define SET "*3\r\n$3\r\nSET\r\n$1\r\ny\r\n$1\r\n1\r\n"
#define MAIL                                                                                       \
	"*3\r\n$3\r\nSET\r\n$1\r\nm\r\n$85\r\n" SELECT MULTI EXEC                                  \
	"the text of a mail, as it is kept"                                                        \
	"\r\n"

struct row {
	const char *what;
	const char *tail;
	size_t zeros; /* after it */
	enum aof_tail expected;
};

static const struct row rows[] = {
	{"nothing", "", 0, AOF_TAIL_UNFINISHED},
	{"zeros alone", "", 4096, AOF_TAIL_UNFINISHED},
	{"one octet", "*", 0, AOF_TAIL_UNFINISHED},
	{"a count that is cut off", "*1", 0, AOF_TAIL_UNFINISHED},
	{"a length that is cut off", "*3\r\n$3", 0, AOF_TAIL_UNFINISHED},
	{"a command that is cut off", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nhalf", 0,
	 AOF_TAIL_UNFINISHED},
	{"a command with zeros instead of its end", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$10\r\nhalf", 50,
	 AOF_TAIL_UNFINISHED},
	{"an annotation that is cut off", "#TS:1700", 0, AOF_TAIL_UNFINISHED},
	{"an annotation and half a transaction", "#TS:1700\r\n" MULTI SET, 0, AOF_TAIL_UNFINISHED},
	{"a transaction without its end", MULTI SET SET, 0, AOF_TAIL_UNFINISHED},
	{"a transaction with zeros instead of its end", MULTI SET, 100, AOF_TAIL_UNFINISHED},
	{"SELECT that is cut off", "*2\r\n$6\r\nSELECT\r\n$1\r\n", 0, AOF_TAIL_UNFINISHED},
	{"the first transaction after a start, cut off within SELECT",
	 MULTI "*2\r\n$6\r\nSELECT\r\n$1", 0, AOF_TAIL_UNFINISHED},
	{"the first transaction after a start, cut off after SELECT", MULTI SELECT SET, 0,
	 AOF_TAIL_UNFINISHED},
	{"a mail whose text is commands", MULTI MAIL SET, 0, AOF_TAIL_UNFINISHED},
	{"a mail whose text is commands, cut off after them",
	 MULTI "*3\r\n$3\r\nSET\r\n$1\r\nm\r\n$200\r\n" MULTI SET EXEC SELECT "half of", 0,
	 AOF_TAIL_UNFINISHED},
	{"a transaction with EXEC", MULTI SET EXEC, 0, AOF_TAIL_DAMAGED},
	{"half a transaction, then a whole one", MULTI SET MULTI SET EXEC, 0, AOF_TAIL_DAMAGED},
	{"half a transaction, then another half", MULTI SET MULTI, 0, AOF_TAIL_DAMAGED},
	{"half a transaction, then what a later Redis wrote", MULTI SET SELECT SET, 0,
	 AOF_TAIL_DAMAGED},
	{"half a command, then a transaction",
	 "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nha" MULTI SET SET SET EXEC, 0, AOF_TAIL_DAMAGED},
	{"a damaged length, then whole transactions",
	 MULTI "*3\r\n$3\r\nSET\r\n$1\r\nm\r\n$9000\r\nmail\r\n" EXEC MULTI SET EXEC, 0,
	 AOF_TAIL_DAMAGED},
	{"a damaged length, then a whole command",
	 "*3\r\n$3\r\nSET\r\n$9\r\na\r\n$100\r\nx\r\n" SET, 20, AOF_TAIL_DAMAGED},
	{"a damaged length, after what looks like a command",
	 "*2\r\n$3\r\nGET\r\n$900\r\nx\r\n*1\r\n$800\r\n\r\n*1\r\n$3\r\nGET" MULTI "\r\n" SET EXEC,
	 0, AOF_TAIL_DAMAGED},
	{"a whole command", SET, 0, AOF_TAIL_DAMAGED},
	{"EXEC alone", EXEC, 0, AOF_TAIL_DAMAGED},
	{"a length that is none", "*1\r\n$x\r\n", 0, AOF_TAIL_DAMAGED},
	{"a length with eleven digits", "*1\r\n$10000000000\r\n", 0, AOF_TAIL_DAMAGED},
	{"a line without CR", "*1\n$5\nMULTI\n", 0, AOF_TAIL_DAMAGED},
	{"text", "hello", 0, AOF_TAIL_DAMAGED},
};

static void a_tail_is_unfinished_only_when_nothing_was_written_after_it(void **state)
{
	static char tail[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].tail);

		memcpy(tail, rows[i].tail, len);
		memset(tail + len, 0, rows[i].zeros);
		if (aof_tail_check(tail, len + rows[i].zeros) != rows[i].expected)
			fail_msg("%s", rows[i].what);
	}
}

static void each_beginning_of_a_transaction_is_unfinished(void **state)
{
	static const char whole[] = MULTI SELECT SET SET EXEC;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		if (aof_tail_check(whole, len) != AOF_TAIL_UNFINISHED)
			fail_msg("%zu", len);
	assert_int_equal(aof_tail_check(whole, sizeof(whole) - 1), AOF_TAIL_DAMAGED);
}

UNIT_TESTS(cmocka_unit_test(a_tail_is_unfinished_only_when_nothing_was_written_after_it),
	   cmocka_unit_test(each_beginning_of_a_transaction_is_unfinished))

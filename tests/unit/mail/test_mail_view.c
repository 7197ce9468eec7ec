/* Mails as a developer sees them: decoded where they are well made, harmless where they are not. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/mail/mail_view.h"
#include "server/base/buf.h"
#include "server/mail/message.h"
#include "tests/unit/unit.h"

static const char *text_of(const json_t *view, const char *field)
{
	return json_string_value(json_object_get(view, field));
}

static const struct view_case {
	const char *what, *mail, *subject, *text, *html;
} cases[] = {
	{"nothing at all", "", NULL, "", NULL},
	{"no header", "\r\nhi\r\n", NULL, "hi\n", NULL},
	{"no body", "Subject: s\r\n", "s", "", NULL},
	{"bare line feeds", "Subject: s\n\na\nb\n", "s", "a\nb\n", NULL},
	{"folded subject", "Subject: one\r\n two\r\n\r\n", "one two", "", NULL},
	{"a line that is no field", "garbage\r\nSubject: s\r\n\r\nx", "s", "x", NULL},
	{"html alone", "Content-Type: text/html; charset=utf-8\r\n\r\n<p>", NULL, NULL, "<p>"},
	{"another type alone", "Content-Type: image/gif\r\n\r\nGIF", NULL, NULL, NULL},
	{"quoted-printable",
	 "Content-Transfer-Encoding: Quoted-Printable\r\n\r\na=3Db =C3=A4 soft=\r\nly \t\r\nend=",
	 NULL, "a=b \xC3\xA4 softly\nend", NULL},
	{"broken quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ=4",
	 NULL, "=ZZ=4", NULL},
	{"base64", "Content-Transfer-Encoding: base64\r\n\r\nYQ0K\r\nYg==\r\n", NULL, "a\nb", NULL},
	{"broken base64 is shown as it is", "Content-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
	 NULL, "!!!!\n", NULL},
	{"encoded words of a subject",
	 "Subject: =?UTF-8?Q?a_=C3=A4?= =?utf-8?B?w7Y=?= x =?utf-8?q?y?=", "a \xC3\xA4\xC3\xB6 x y",
	 "", NULL},
	{"a character over two words", "Subject: =?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "\xC3\xA4", "",
	 NULL},
	{"an unknown charset stays", "Subject: =?iso-8859-1?Q?=E4?= b", "=?iso-8859-1?Q?=E4?= b",
	 "", NULL},
	{"no encoded word",
	 "Subject: =? =?x =?utf-8?Q?a =?utf-8?Z?a?=", "=? =?x =?utf-8?Q?a =?utf-8?Z?a?=", "", NULL},
	{"octets that are no UTF-8", "Subject: a\xFF\r\n\r\n\xC3", "a\xEF\xBF\xBD", "\xEF\xBF\xBD",
	 NULL},
	{"alternative",
	 "Content-Type: multipart/alternative; boundary=\"b 1\"\r\n\r\npreamble\r\n--b "
	 "1\r\n\r\nT\r\n"
	 "\r\n--b 1 \r\nContent-Type: text/html\r\n\r\nH\r\n--b 1--\r\nepilogue",
	 NULL, "T\n", "H"},
	{"the first text that is no attachment",
	 "Content-Type: multipart/mixed;\r\n boundary=b\r\n\r\n--b\r\n"
	 "Content-Disposition: attachment; filename=x\r\n\r\nA\r\n--b\r\n\r\nB\r\n--b\r\n\r\nC\r\n"
	 "--b--\r\n",
	 NULL, "B", NULL},
	{"no closing delimiter", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nT",
	 NULL, "T", NULL},
	{"no boundary", "Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nT", NULL, NULL, NULL},
	{"an empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nT",
	 NULL, NULL, NULL},
	{"an open quote", "Content-Type: multipart/mixed; boundary=\"b\\\r\n\r\n--b\r\n\r\nT", NULL,
	 NULL, NULL},
};

static void each_mail_is_shown_with_its_fields_and_parts(void **state)
{
	static const char *const fields[] = {"subject", "text", "html"};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *wanted[] = {cases[i].subject, cases[i].text, cases[i].html};
		json_t *view = mail_view(cases[i].mail, strlen(cases[i].mail));

		assert_non_null(view);
		for (k = 0; k < 3; k++) {
			const char *got = text_of(view, fields[k]);

			if (!got != !wanted[k] || (got && strcmp(got, wanted[k]) != 0))
				fail_msg("%s: %s is %s", cases[i].what, fields[k],
					 got ? got : "null");
		}
		json_decref(view);
	}
}

static void headers_are_shown_unfolded_in_order(void **state)
{
	static const char mail[] = "Received: a\r\n\tb\r\nX-A : 1\r\nSubject: =?utf-8?Q?a?=\r\n\r\n"
				   "No: header\r\n";
	json_t *view = mail_view(mail, sizeof(mail) - 1);
	char *text = json_dumps(json_object_get(view, "headers"), JSON_COMPACT);

	(void)state;
	assert_string_equal(text, "[[\"Received\",\"a\\tb\"],[\"X-A\",\"1\"],"
				  "[\"Subject\",\"=?utf-8?Q?a?=\"]]");
	assert_string_equal(text_of(view, "raw"), mail);
	free(text);
	json_decref(view);
}

static void a_nul_is_shown_and_ends_nothing(void **state)
{
	static const char mail[] = "Subject: a\0b\r\n\r\nx\0y";
	json_t *view = mail_view(mail, sizeof(mail) - 1);

	(void)state;
	assert_int_equal(json_string_length(json_object_get(view, "subject")), 3);
	assert_int_equal(json_string_length(json_object_get(view, "text")), 3);
	json_decref(view);
}

/* What Postern builds is what the inbox shows. */
static void our_own_mail_is_read_back(void **state)
{
	static const char text[] = "Your code is 123456 \xE2\x9C\x93\n.\nbye\n";
	static const char html[] = "<p style=\"x=y\">123456 \xC3\xA4</p>";
	static const unsigned char bytes[] = "data";
	struct address from, to;
	const struct message_part part = {
		.filename = "text.txt", .content_type = "text/plain", .bytes = bytes, .len = 4};
	struct message m = {
		.from = &from,
		.to = &to,
		.n_to = 1,
		.subject = "Gr\xC3\xBC\xC3\x9F"
			   "e an alle, die diesen sehr langen Betreff mit \xE2\x82\xAC lesen, "
			   "auch wenn er auf mehrere Zeilen verteilt wird",
		.text = text,
		.text_len = sizeof(text) - 1,
		.html = html,
		.html_len = sizeof(html) - 1,
		.parts = &part,
		.n_parts = 1,
		.message_id = "<id@shop.example>",
		.date_ms = 1700000000000,
	};
	struct buf mail = {0};
	json_t *view;

	(void)state;
	assert_int_equal(address_parse("a@shop.example", 14, &from, NULL), 0);
	assert_int_equal(address_parse("b@x.example", 11, &to, NULL), 0);
	assert_int_equal(message_build(&m, &mail, NULL), 0);
	view = mail_view(mail.data, mail.len);
	assert_string_equal(text_of(view, "subject"), m.subject);
	assert_memory_equal(text_of(view, "text"), text, sizeof(text) - 2);
	assert_memory_equal(text_of(view, "html"), html, sizeof(html) - 1);
	json_decref(view);
	buf_deinit(&mail);
}

static bool shows_text(struct buf *mail)
{
	json_t *view = mail_view(mail->data, mail->len);
	bool shows = json_is_string(json_object_get(view, "text"));

	json_decref(view);
	buf_deinit(mail);
	return shows;
}

static bool shows_text_at_depth(unsigned depth)
{
	struct buf mail = {0};
	unsigned i;

	for (i = 0; i < depth; i++)
		buf_fmt(&mail, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i,
			i);
	buf_str(&mail, "\r\ntext");
	return shows_text(&mail);
}

static bool shows_text_behind_parts(unsigned n)
{
	struct buf mail = {0};

	buf_str(&mail, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	while (n--)
		buf_str(&mail, "--b\r\nContent-Type: image/gif\r\n\r\nx\r\n");
	buf_str(&mail, "--b\r\n\r\ntext\r\n--b--\r\n");
	return shows_text(&mail);
}

static void nesting_and_parts_are_bounded(void **state)
{
	(void)state;
	assert_true(shows_text_at_depth(8));
	assert_false(shows_text_at_depth(9));
	assert_false(shows_text_at_depth(10000));
	assert_true(shows_text_behind_parts(98));
	assert_false(shows_text_behind_parts(99));
}

static void repeat(struct buf *mail, const char *piece, size_t n)
{
	while (n--)
		buf_str(mail, piece);
}

/* Hostile mails of 1 MB must not hold up the loop; the limit is generous, as this runs under
 * sanitizers. */
/* Quadratic time would be hours: the time limit of the runner ends it. */
static void large_nonsense_is_read_in_linear_time(void **state)
{
	static const struct {
		const char *head, *piece;
	} mails[] = {
		{"Subject: ", "=?"},
		{"Subject: ", "=?utf-8?q?"},
		{"Subject: ", "=?utf-8?q?a?= "},
		{"", "X: y\r\n"},
		{"", "X: y\r\n z\r\n"},
		{"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n"},
		{"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
		 "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"},
		{"Content-Type: text/plain", ";a=\"\\\"\""},
		{"Content-Transfer-Encoding: base64\r\n\r\n", "A "},
		{"Content-Transfer-Encoding: quoted-printable\r\n\r\n", "= \r\n"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		struct buf mail = {0};
		json_t *view;

		buf_str(&mail, mails[i].head);
		repeat(&mail, mails[i].piece, 1000000 / strlen(mails[i].piece));
		view = mail_view(mail.data, mail.len);
		assert_non_null(view);
		json_decref(view);
		buf_deinit(&mail);
	}
}

UNIT_TESTS(cmocka_unit_test(each_mail_is_shown_with_its_fields_and_parts),
	   cmocka_unit_test(headers_are_shown_unfolded_in_order),
	   cmocka_unit_test(a_nul_is_shown_and_ends_nothing),
	   cmocka_unit_test(our_own_mail_is_read_back),
	   cmocka_unit_test(nesting_and_parts_are_bounded),
	   cmocka_unit_test(large_nonsense_is_read_in_linear_time))

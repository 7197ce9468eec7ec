/* Whole mails: structure, refusals, and that nothing gets in which was not asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/buf.h"
#include "server/mail/message.h"
#include "tests/unit/unit.h"

static const struct address from = {"orders@shop.example", "Shop"};
static const struct address to = {"user@example.com", ""};

static struct message plain(void)
{
	return (struct message){
		.from = &from,
		.to = &to,
		.n_to = 1,
		.subject = "Hello",
		.text = "text",
		.text_len = 4,
		.message_id = "<1@shop.example>",
		.date_ms = 1764000000123,
	};
}

/* Every mail that leaves here goes through this. */
static void check_wire(const struct buf *out)
{
	size_t line = 0;

	assert_true(out->len > 2 && memcmp(out->data + out->len - 2, "\r\n", 2) == 0);
	for (size_t i = 0; i < out->len; i++) {
		unsigned char c = (unsigned char)out->data[i];

		assert_true(c > 0 && c < 0x80);
		assert_true((c == '\r') == (i + 1 < out->len && out->data[i + 1] == '\n'));
		line = c == '\n' ? 0 : line + 1;
		assert_true(line <= 999); /* with the CR */
	}
}

static void build(const struct message *m, struct buf *out)
{
	struct err e = {0};

	buf_reset(out);
	if (message_build(m, out, &e))
		fail_msg("%s", e.text);
	check_wire(out);
}

static void check_refused(const struct message *m, const char *reason)
{
	struct buf out = {0};
	struct err e = {0};

	buf_str(&out, "before");
	if (!message_build(m, &out, &e))
		fail_msg("built, should be refused: %s", reason);
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("expected \"%s\", got \"%s\"", reason, e.text);
	assert_string_equal(out.data, "before");
	assert_false(out.failed);
	buf_deinit(&out);
}

static size_t count(const struct buf *out, const char *needle)
{
	size_t n = 0;

	for (const char *p = strstr(out->data, needle); p; p = strstr(p + 1, needle))
		n++;
	return n;
}

static void a_plain_mail_is_this(void **state)
{
	struct message m = plain();
	struct buf out = {0};

	(void)state;
	build(&m, &out);
	assert_string_equal(out.data, "Date: Mon, 24 Nov 2025 16:00:00 +0000\r\n"
				      "From: Shop <orders@shop.example>\r\n"
				      "To: user@example.com\r\n"
				      "Subject: Hello\r\n"
				      "Message-ID: <1@shop.example>\r\n"
				      "MIME-Version: 1.0\r\n"
				      "Content-Type: text/plain; charset=utf-8\r\n"
				      "Content-Transfer-Encoding: 7bit\r\n"
				      "\r\n"
				      "text\r\n");
	buf_deinit(&out);
}

/* The content types in order, and how deep each is: "mixed(related(alternative(plain html)..." */
static void outline(const struct buf *out, char *to_text, size_t size)
{
	const char *p = out->data;
	size_t n = 0;

	*to_text = 0;
	while ((p = strpbrk(p, "C-")) != NULL && n + 40 < size) {
		const char *line = p;
		size_t len = strcspn(p, ";\r");

		p++;
		if (line > out->data && line[-1] != '\n')
			continue;
		if (strncmp(line, "Content-Type: ", 14) == 0) {
			const char *slash = memchr(line, '/', len);

			n += (size_t)snprintf(to_text + n, size - n, "%.*s%s",
					      (int)(line + len - slash - 1), slash + 1,
					      strncmp(line + 14, "multi", 5) == 0 ? "(" : " ");
		} else if (strncmp(line, "--=_", 4) == 0 && len > 6 &&
			   strncmp(line + len - 2, "--", 2) == 0) {
			n += (size_t)snprintf(to_text + n, size - n, ")");
		}
	}
}

static void set_bodies(struct message *m, bool has_text, bool has_html)
{
	m->text = has_text ? "text" : NULL;
	m->text_len = has_text ? 4 : 0;
	m->html = has_html ? "<p>" : NULL;
	m->html_len = has_html ? 3 : 0;
}

static void the_structure_follows_from_what_is_there(void **state)
{
	static const struct {
		bool text, html;
		size_t n_parts; /* of the array below */
		const char *outline;
	} rows[] = {
		{true, false, 0, "plain "},
		{false, true, 0, "html "},
		{false, false, 0, "plain "},
		{true, true, 0, "alternative(plain html )"},
		{true, false, 1, "mixed(plain png )"},
		{false, true, 1, "related(html png )"},
		{true, true, 1, "related(alternative(plain html )png )"},
		{true, true, 2, "mixed(related(alternative(plain html )png )pdf )"},
		{true, true, 3, "mixed(related(alternative(plain html )png )pdf gif )"},
		{false, false, 2, "mixed(png pdf )"},
	};
	static const struct message_part parts[] = {
		{"a.png", "image/png", "a", PART_INLINE, (const unsigned char *)"x", 1},
		{"b.pdf", "application/pdf", NULL, PART_ATTACHMENT, (const unsigned char *)"x", 1},
		{"c.gif", "image/gif", NULL, PART_INLINE, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message m = plain();
		struct buf out = {0};
		char found[256];

		set_bodies(&m, rows[i].text, rows[i].html);
		m.parts = parts;
		m.n_parts = rows[i].n_parts;
		build(&m, &out);
		outline(&out, found, sizeof(found));
		assert_string_equal(found, rows[i].outline);
		buf_deinit(&out);
	}
}

/* A message all of whose strings can be set to the same hostile one, one at a time. */
struct victim {
	struct message m;
	struct address from, to, cc, reply_to;
	struct message_part part;
	struct message_header header;
};

static void set_field(struct victim *v, size_t which, const char *hostile)
{
	static const struct address good = {"a@x.test", "A"};
	struct address *addresses[] = {&v->from, &v->to, &v->cc, &v->reply_to};
	const char **strings[] = {&v->m.subject,         &v->m.message_id,    &v->part.filename,
				  &v->part.content_type, &v->part.content_id, &v->header.name,
				  &v->header.value};

	*v = (struct victim){.from = good, .to = good, .cc = good, .reply_to = good};
	v->part = (struct message_part){"a.txt", "text/plain", "cid", true, NULL, 0};
	v->header = (struct message_header){"X-A", "b"};
	v->m = plain();
	v->m.from = &v->from;
	v->m.to = &v->to;
	v->m.cc = &v->cc;
	v->m.reply_to = &v->reply_to;
	v->m.n_cc = v->m.n_reply_to = v->m.n_parts = v->m.n_headers = 1;
	v->m.parts = &v->part;
	v->m.headers = &v->header;
	if (which < 4)
		snprintf(addresses[which]->name, sizeof(v->to.name), "%s", hostile);
	else if (which < 8)
		snprintf(addresses[which - 4]->email, sizeof(v->to.email), "%s@x.test", hostile);
	if (which >= 8)
		*strings[which - 8] = hostile;
}

static void a_line_break_in_any_field_of_the_header_is_refused(void **state)
{
	static const char *const hostile[] = {"a\r\nBcc: v@x.test",
					      "a\nBcc: v@x",
					      "a\rb",
					      "\n",
					      "a\r",
					      "a\x01",
					      "a\x7f",
					      "\t",
					      "\v",
					      "\xff",
					      "a\u2028b",
					      "a\u2029b",
					      "a\xc2\x85z"};
	static struct victim v;
	struct buf out = {0};

	(void)state;
	set_field(&v, 0, "fine");
	build(&v.m, &out);
	buf_deinit(&out);
	for (size_t which = 0; which < 15; which++) {
		for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
			set_field(&v, which, hostile[i]);
			check_refused(&v.m, "");
		}
	}
}

static void fields_that_postern_or_the_way_writes_cannot_be_set(void **state)
{
	static const char *const names[] = {
		"From",
		"to",
		"CC",
		"Bcc",
		"SUBJECT",
		"Date",
		"Message-ID",
		"Message-Id",
		"Reply-To",
		"Sender",
		"Return-Path",
		"Received",
		"Resent-To",
		"resent-bcc",
		"DKIM-Signature",
		"ARC-Seal",
		"ARC-x",
		"MIME-Version",
		"Content-Type",
		"content-anything",
		"Authentication-Results",
	};
	static const char *const allowed[] = {"X-Tenant",         "In-Reply-To",    "References",
					      "List-Unsubscribe", "List-Id",        "Precedence",
					      "Auto-Submitted",   "Feedback-ID",    "Fromage",
					      "Received-By",      "X-Content-Type", "A"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct err e = {0};

		assert_int_equal(message_check_header(names[i], "x", &e), -1);
		assert_non_null(strstr(e.text, "cannot be set"));
	}
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		assert_int_equal(message_check_header(allowed[i], "x", NULL), 0);
}

static void header_names_are_ftext_of_at_most_76(void **state)
{
	static const char x76[] =
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	static const char *const bad[] = {"",     "Foo bar", "F\xc3\xb6\xc3\xb6", "Foo:", " Foo",
					  "Foo ", "\tFoo",   "F\r\nBcc",          "F\x7f"};
	char x77[78];

	(void)state;
	snprintf(x77, sizeof(x77), "%sx", x76);
	assert_int_equal(message_check_header(x76, "x", NULL), 0);
	assert_int_equal(message_check_header(x77, "x", NULL), -1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(message_check_header(bad[i], "x", NULL), -1);
}

static void header_values_are_bounded_and_lists_of_uris_stay_ascii(void **state)
{
	char value[8002];

	(void)state;
	for (size_t i = 0; i < sizeof(value) - 1; i++)
		value[i] = i % 100 ? 'x' : ' ';
	value[8001] = 0;
	assert_int_equal(message_check_header("References", value, NULL), -1);
	value[8000] = 0;
	assert_int_equal(message_check_header("References", value, NULL), 0);
	assert_int_equal(message_check_header("X-A", value, NULL), -1);
	value[2001] = 0;
	assert_int_equal(message_check_header("X-A", value, NULL), -1);
	value[2000] = 0;
	assert_int_equal(message_check_header("X-A", value, NULL), 0);
	memset(value, 'x', 901);
	value[901] = 0;
	assert_int_equal(message_check_header("List-Unsubscribe", value, NULL), -1);
	value[900] = 0;
	assert_int_equal(message_check_header("List-Unsubscribe", value, NULL), 0);
	assert_int_equal(message_check_header("References", "<\xc3\xa4@x>", NULL), -1);
	assert_int_equal(message_check_header("List-Id", "\xc3\xa4 <x>", NULL), 0);
	assert_int_equal(message_check_header("X-A", "a\r\n b", NULL), -1);
	assert_int_equal(message_check_header("X-A", "\xff", NULL), -1);
}

static void long_threads_and_long_unsubscribe_links_fit(void **state)
{
	struct message m = plain();
	struct message_header headers[2] = {{"References", NULL}, {"List-Unsubscribe", NULL}};
	struct buf ids = {0}, urls = {0}, out = {0};

	(void)state;
	for (int i = 0; i < 40; i++)
		buf_fmt(&ids,
			"<DB9PR08MB%04dEXAMPLE0123456789ABCDEF0123456789@DB9PR08MB1234.eurprd08."
			"prod.outlook.com>",
			i);
	for (int i = 0; i < 2; i++)
		buf_fmt(&urls, "%s<https://shop.example/unsubscribe?token=%0800d>", i ? "," : "",
			i);
	assert_true(ids.len > 3000 && urls.len > 1600);
	headers[0].value = buf_text(&ids);
	headers[1].value = buf_text(&urls);
	m.headers = headers;
	m.n_headers = 2;
	build(&m, &out);
	assert_int_equal(count(&out, "outlook.com>\r\n "), 39);
	assert_int_equal(count(&out, ">,\r\n <https"), 1);
	buf_deinit(&ids);
	buf_deinit(&urls);
	buf_deinit(&out);
}

static void a_custom_header_is_given_once_whatever_its_case(void **state)
{
	static const struct message_header twice[] = {{"References", "<a@b>"},
						      {"references", "<c@d>"}};
	struct message m = plain();

	(void)state;
	m.headers = twice;
	m.n_headers = 2;
	check_refused(&m, "given twice");
}

/* Each singleton of RFC 5322 3.6 once, no trace of anybody else. */
static void each_field_is_there_once_and_bcc_never(void **state)
{
	static const char *const once[] = {"\nFrom: ",       "\nTo: ",           "\nSubject: ",
					   "\nMessage-ID: ", "\nMIME-Version: ", "\nX-Note: "};
	static const struct message_header note = {"X-Note", "n"};
	struct message m = plain();
	struct buf out = {0};

	(void)state;
	m.headers = &note;
	m.n_headers = 1;
	build(&m, &out);
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		assert_int_equal(count(&out, once[i]), 1);
	assert_null(strstr(out.data, "cc:"));
	m.n_to = 0;
	build(&m, &out);
	assert_int_equal(count(&out, "\nTo:"), 0);
	assert_int_equal(count(&out, "undisclosed"), 0);
	assert_null(strstr(out.data, "cc:"));
	buf_deinit(&out);
}

static void message_ids_have_one_pair_of_brackets_and_one_at(void **state)
{
	static const char *const bad[] = {
		"",     "1@x",     "<1@x",   "1@x>",         "<<1@x>>",   "<1>",        "<@x>",
		"<1@>", "<1@x@y>", "<1 @x>", "<\xc3\xa4@x>", "<1@x>\r\n", "<1@x> <2@x>"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct message m = plain();

		m.message_id = bad[i];
		check_refused(&m, "message id");
	}
}

static void bodies_of_every_kind_leave_in_clean_lines(void **state)
{
	static const char *const bodies[] = {
		"",         "\n",           "\r",       "a\r\r\nb",
		".",        "\r\n.\r\n",    "a\nb\rc",  "\r\n\r\n.\r\n",
		"\xc3\xa4", "\u2028\u0301", "\x01\x02", "\xff\xfe",
		"\n.\nx\r", "\n\n\n",
	};
	static char big[100001];

	(void)state;
	memset(big, 'x', 100000);
	for (size_t i = 0; i <= sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct message m = plain();
		struct buf out = {0};

		m.text = i < sizeof(bodies) / sizeof(bodies[0]) ? bodies[i] : big;
		m.text_len = strlen(m.text);
		build(&m, &out);
		m.html = m.text;
		m.html_len = m.text_len;
		build(&m, &out);
		m.text = NULL;
		build(&m, &out);
		buf_deinit(&out);
	}
}

static void a_nul_in_a_body_is_refused(void **state)
{
	struct message m = plain();

	(void)state;
	m.text = "a\0b";
	m.text_len = 3;
	check_refused(&m, "NUL");
}

static void slashes_in_file_names_become_underscores(void **state)
{
	static const struct {
		const char *name, *line; /* NULL: refused */
	} rows[] = {
		{"Auftrag_225/2385.pdf", "attachment; filename=\"Auftrag_225_2385.pdf\"\r\n"},
		{"../../x", "attachment; filename=\".._.._x\"\r\n"},
		{"C:\\x.pdf", "attachment; filename=\"C:_x.pdf\"\r\n"},
		{"a/", "attachment; filename=\"a_\"\r\n"},
		{"../", NULL},
		{"Größe 1/2", "filename*=utf-8''Gr%C3%B6%C3%9Fe%201_2;"},
		{"", "Content-Disposition: attachment\r\n"},
		{"..", NULL},
		{".", NULL},
		{"a\u202Efdp.exe", NULL},
		{"a\n/b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message m = plain();
		struct message_part part = {.filename = rows[i].name};
		struct buf out = {0};

		m.parts = &part;
		m.n_parts = 1;
		if (!rows[i].line) {
			check_refused(&m, "file name");
			continue;
		}
		build(&m, &out);
		assert_non_null(strstr(out.data, rows[i].line));
		buf_deinit(&out);
	}
}

static void a_calendar_invitation_is_the_last_form_of_the_text(void **state)
{
	static const struct message_part parts[] = {
		{"a.pdf", "application/pdf", NULL, PART_ATTACHMENT, (const unsigned char *)"x", 1},
		{NULL, "text/calendar; method=REQUEST", NULL, PART_ALTERNATIVE,
		 (const unsigned char *)"BEGIN:VCALENDAR\nEND:VCALENDAR\n", 30},
		{"l.png", "image/png", "l", PART_INLINE, (const unsigned char *)"x", 1},
	};
	static const struct {
		bool text, html;
		size_t first, n_parts;
		const char *outline;
	} rows[] = {
		{true, true, 1, 1, "alternative(plain html calendar )"},
		{true, false, 1, 1, "alternative(plain calendar )"},
		{false, true, 1, 2, "related(alternative(html calendar )png )"},
		{true, true, 0, 3, "mixed(related(alternative(plain html calendar )png )pdf )"},
		{false, false, 1, 1, "calendar "},
		{false, false, 0, 2, "mixed(calendar pdf )"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message m = plain();
		struct buf out = {0};
		char found[256];

		set_bodies(&m, rows[i].text, rows[i].html);
		m.parts = parts + rows[i].first;
		m.n_parts = rows[i].n_parts;
		build(&m, &out);
		outline(&out, found, sizeof(found));
		assert_string_equal(found, rows[i].outline);
		assert_non_null(strstr(
			out.data, "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n"
				  "Content-Transfer-Encoding: 7bit\r\n\r\n"
				  "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"));
		buf_deinit(&out);
	}
}

static void an_alternative_part_is_a_text(void **state)
{
	struct message_part part = {.content_type = "image/png", .place = PART_ALTERNATIVE};
	struct message m = plain();
	struct buf out = {0};

	(void)state;
	m.parts = &part;
	m.n_parts = 1;
	check_refused(&m, "begins with text/");
	part.content_type = NULL;
	check_refused(&m, "begins with text/");
	part.content_type = "text/calendar; method=REQUEST";
	part.bytes = (const unsigned char *)"Gr\xf6\xdf"
					    "e";
	part.len = 5;
	check_refused(&m, "with a charset");
	part.content_type = "text/calendar; method=REQUEST; charset=iso-8859-1";
	build(&m, &out);
	assert_non_null(strstr(out.data, "\r\n\r\nGr=F6=DFe\r\n"));
	buf_deinit(&out);
}

static void a_mail_larger_than_the_limit_is_refused_and_one_at_the_limit_is_not(void **state)
{
	static unsigned char bytes[5000];
	struct message_part part = {.bytes = bytes, .len = sizeof(bytes)};
	struct message m = plain();
	struct buf out = {0};
	size_t len;

	(void)state;
	m.parts = &part;
	m.n_parts = 1;
	build(&m, &out);
	len = out.len;
	out.limit = len;
	build(&m, &out);
	assert_int_equal(out.len, len);
	for (size_t limit = 0; limit < len; limit += 97) {
		struct err e = {0};

		buf_reset(&out);
		out.limit = limit ? limit : len - 1;
		assert_int_equal(message_build(&m, &out, &e), -1);
		assert_int_equal(e.kind, ERR_INPUT);
		assert_non_null(strstr(e.text, "larger than"));
		assert_int_equal(out.len, 0);
	}
	buf_deinit(&out);
}

static void a_header_larger_than_100_kb_is_refused(void **state)
{
	static struct address many[600];
	struct message m = plain();

	(void)state;
	for (size_t i = 0; i < 600; i++) {
		snprintf(many[i].email, sizeof(many[i].email), "u%zu@x.test", i);
		memset(many[i].name, 'n', 200);
	}
	m.to = many;
	m.n_to = 600;
	check_refused(&m, "larger than 100 KB");
}

static void boundaries_differ_between_levels_and_mails(void **state)
{
	struct message_part parts[] = {{.content_id = "a", .place = PART_INLINE},
				       {.filename = "b"}};
	struct message m = plain();
	struct buf out = {0};
	char seen[6][32];

	(void)state;
	m.html = "<p>";
	m.html_len = 3;
	m.parts = parts;
	m.n_parts = 2;
	for (size_t i = 0; i < 6; i += 3) {
		const char *p;

		build(&m, &out);
		p = out.data;
		for (size_t k = 0; k < 3; k++) {
			p = strstr(p + 1, "boundary=\"=_");
			assert_non_null(p);
			memcpy(seen[i + k], p + 10, 29);
			seen[i + k][29] = 0;
			assert_int_equal(p[39], '"');
		}
	}
	for (size_t i = 0; i < 6; i++) {
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
	}
	buf_deinit(&out);
}

UNIT_TESTS(cmocka_unit_test(a_plain_mail_is_this),
	   cmocka_unit_test(the_structure_follows_from_what_is_there),
	   cmocka_unit_test(a_line_break_in_any_field_of_the_header_is_refused),
	   cmocka_unit_test(fields_that_postern_or_the_way_writes_cannot_be_set),
	   cmocka_unit_test(header_names_are_ftext_of_at_most_76),
	   cmocka_unit_test(header_values_are_bounded_and_lists_of_uris_stay_ascii),
	   cmocka_unit_test(a_custom_header_is_given_once_whatever_its_case),
	   cmocka_unit_test(each_field_is_there_once_and_bcc_never),
	   cmocka_unit_test(message_ids_have_one_pair_of_brackets_and_one_at),
	   cmocka_unit_test(bodies_of_every_kind_leave_in_clean_lines),
	   cmocka_unit_test(a_nul_in_a_body_is_refused),
	   cmocka_unit_test(slashes_in_file_names_become_underscores),
	   cmocka_unit_test(a_calendar_invitation_is_the_last_form_of_the_text),
	   cmocka_unit_test(an_alternative_part_is_a_text),
	   cmocka_unit_test(long_threads_and_long_unsubscribe_links_fit),
	   cmocka_unit_test(a_mail_larger_than_the_limit_is_refused_and_one_at_the_limit_is_not),
	   cmocka_unit_test(a_header_larger_than_100_kb_is_refused),
	   cmocka_unit_test(boundaries_differ_between_levels_and_mails))

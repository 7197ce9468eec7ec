/* Mails from hostile strings: refused, or 7-bit, in whole lines, without headers that nobody gave.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/mail/message.h"

#define N_STRINGS 12

static void require(int claim)
{
	if (!claim)
		abort();
}

/* The input as N_STRINGS strings, each ended by a NUL; missing ones are "". */
static char *split(const uint8_t *data, size_t size, const char *strings[N_STRINGS])
{
	char *copy = malloc(size + 1);
	size_t at = 0;

	require(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	copy[size] = 0;
	for (size_t i = 0; i < N_STRINGS; i++) {
		strings[i] = copy + at;
		at += strlen(copy + at);
		at += at < size;
	}
	return copy;
}

static void check(const struct buf *out)
{
	size_t line = 0;

	require(out->len > 2 && memcmp(out->data + out->len - 2, "\r\n", 2) == 0);
	for (size_t i = 0; i < out->len; i++) {
		char c = out->data[i];

		require(c > 0);
		require((c == '\r') == (out->data[i + 1] == '\n'));
		line = c == '\n' ? 0 : line + 1;
		require(line <= 999);
	}
	require(strncmp(out->data, "Date: ", 6) == 0);
	*strstr(out->data, "\r\n\r\n") = 0;
	require(!strstr(out->data, "\nBcc:") && !strstr(out->data, "\r\n\r\n"));
	require(!strstr(strstr(out->data, "\nFrom: ") + 1, "\nFrom:"));
}

static void build(const struct message *m)
{
	struct buf out = {0};
	struct err e;

	if (message_build(m, &out, &e) == 0)
		check(&out);
	else
		require(out.len == 0 && !out.failed);
	buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct address good = {"a@x.test", ""};
	const char *s[N_STRINGS];
	char *copy = split(data, size, s);
	struct address named = good;
	struct message_part parts[2] = {
		{s[0], *s[1] ? s[1] : NULL, *s[2] ? s[2] : NULL, (enum part_place)(size / 3 % 3),
		 data, size},
		{.filename = s[3], .bytes = data, .len = size},
	};
	struct message_header header = {*s[4] ? s[4] : "X-A", s[5]};
	struct message m = {
		.from = &named,
		.to = &named,
		.n_to = 1,
		.cc = &good,
		.n_cc = size % 2,
		.parts = parts,
		.n_parts = size % 3,
		.headers = &header,
		.n_headers = 1,
		.subject = s[6],
		.message_id = *s[7] ? s[7] : "<1@x.test>",
		.text = s[8],
		.text_len = strlen(s[8]),
		.html = *s[9] ? s[9] : NULL,
		.html_len = strlen(s[9]),
	};

	strncpy(named.name, s[10], sizeof(named.name) - 1);
	if (*s[11])
		strncpy(named.email, s[11], sizeof(named.email) - 1);
	build(&m);
	free(copy);
	return 0;
}

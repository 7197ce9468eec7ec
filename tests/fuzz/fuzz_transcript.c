/* Any conversation, cut anywhere: the transcript stays bounded, and its text is lines of printable
 * UTF-8. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/utf8.h"
#include "smtp/client/transcript.h"

static void require(int claim)
{
	if (!claim)
		abort();
}

static void act(struct transcript *t, unsigned what, const char *bytes, size_t len)
{
	char text[64];

	switch (what % 8) {
	case 0:
		transcript_reuse(t);
		break;
	case 1:
		transcript_open(t, "host", "address");
		break;
	case 2:
		memcpy(text, bytes, len);
		text[len] = 0;
		transcript_note(t, "%s", text);
		break;
	case 3:
		transcript_sent_body(t, len * 1000);
		break;
	case 4:
		transcript_enter(t, (enum connection_phase)(len % PHASES));
		t->now_ms += (int64_t)len;
		break;
	case 5:
		transcript_said(t, bytes, len);
		break;
	default:
		for (size_t i = 0; i < what; i++)
			transcript_heard(t, bytes, len);
		break;
	}
}

static void check_text(const struct transcript *t)
{
	struct buf text = {0};
	const char *p, *end;

	transcript_text(t, &text);
	require(!text.failed && text.len < 400000);
	p = buf_text(&text);
	end = p + text.len;
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		require(lf && lf - p < 2200 && *p >= '0' && *p <= '9');
		while (p < lf) {
			uint32_t rune;
			size_t n = utf8_next(p, (size_t)(lf - p), &rune);

			require(n > 0 && !utf8_is_control(rune) && !utf8_is_bidi_control(rune));
			p += n;
		}
		p++;
	}
	buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct transcript t = {0};

	transcript_open(&t, "host", "address");
	while (size >= 2) {
		size_t len = data[1] % 64;

		if (len > size - 2)
			len = size - 2;
		act(&t, data[0], (const char *)data + 2, len);
		require(t.said.len <= 40000);
		data += 2 + len;
		size -= 2 + len;
	}
	check_text(&t);
	transcript_deinit(&t);
	return 0;
}

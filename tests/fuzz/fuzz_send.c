/* Bodies of POST /v1/messages: refused with errors, or a clean mail can be built from them. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/json/json.h"
#include "api/send/send.h"
#include "server/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No line of a mail ends but by CRLF, none is too long, and its header has no Bcc. */
static void check_mail(const struct buf *mail)
{
	size_t i, begin = 0;

	for (i = 0; i < mail->len; i++) {
		assert(mail->data[i] != 0);
		assert(mail->data[i] != '\n' || (i && mail->data[i - 1] == '\r'));
		assert(mail->data[i] != '\r' || mail->data[i + 1] == '\n');
		if (mail->data[i] != '\n')
			continue;
		assert(i - begin <= 999);
		begin = i + 1;
	}
	assert(begin == mail->len);
	assert(strncmp(mail->data, "Bcc:", 4) != 0);
	assert(!strstr(mail->data, "\r\nBcc:") ||
	       strstr(mail->data, "\r\n\r\n") < strstr(mail->data, "\r\nBcc:"));
}

static void build(struct send *s)
{
	const struct send_extra extra = {"<id@shop.example>", 1, "fsync", "1"};
	struct buf text = {0}, mail = {0};
	json_t *facts, *envelope;
	struct err e;

	send_facts(s, &extra, &text);
	facts = json_loads(buf_text(&text), JSON_REJECT_DUPLICATES, NULL);
	envelope = send_envelope(facts);

	assert(facts && envelope);
	assert(json_object_size(envelope) == s->n_emails && s->n_emails > 0);
	s->message.message_id = "<id@shop.example>";
	s->message.date_ms = 1700000000000;
	/* If the rules accept it, the mail can be built. */
	if (message_build(&s->message, &mail, &e) < 0)
		assert(e.kind == ERR_INTERNAL || strstr(e.text, "larger"));
	else
		check_mail(&mail);
	buf_deinit(&text);
	buf_deinit(&mail);
	json_decref(envelope);
	json_decref(facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config config = {.max_recipients = 50, .default_deadline_s = 172800};
	json_t *body, *faults = NULL;
	struct send s;
	struct err e;

	if (json_parse_body((const char *)data, size, &body, &e) < 0)
		return 0;
	if (send_read(&s, body, &config, &faults, &e) == 0)
		build(&s);
	else
		assert(e.kind != ERR_INPUT || json_array_size(faults) > 0);
	json_decref(faults);
	json_decref(body);
	send_deinit(&s);
	return 0;
}

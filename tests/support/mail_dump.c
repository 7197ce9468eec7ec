/* Builds mails from JSON lines on stdin, so that other programs can read what Postern writes.
 *
 *   mail_dump [key-files domain selectors]        per line: "ok <octets>\n" and the mail, or
 *                                                 "refused <reason>\n"
 *   mail_dump records key-files domain selectors  the DNS records of the keys
 *
 * A line: {"from", "to": [], "cc": [], "reply_to": [] (each {"email", "name"?}), "subject", "text",
 * "html", "parts": [{"filename", "content_type", "content_id", "inline" or
 * "alternative", "hex"}], "headers":
 * [[name, value]], "message_id", "date_ms", "t"}. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/mail/dkim.h"
#include "server/mail/message.h"

#define LIST_MAX 600

struct mail {
	struct message m;
	struct address from, lists[3][LIST_MAX];
	struct message_part parts[LIST_MAX];
	struct message_header headers[LIST_MAX];
	unsigned char *bytes[LIST_MAX];
};

static const char *text_of(json_t *object, const char *field)
{
	return json_string_value(json_object_get(object, field));
}

static int read_address(json_t *json, struct address *out, struct err *e)
{
	const char *email = text_of(json, "email"), *name = text_of(json, "name");

	return address_make(email ? email : "", email ? strlen(email) : 0, name,
			    name ? strlen(name) : 0, out, e);
}

static int read_list(json_t *json, struct address *out, size_t *n, struct err *e)
{
	size_t i;
	json_t *item;

	json_array_foreach (json, i, item) {
		if (i >= LIST_MAX || read_address(item, &out[i], e))
			return -1;
	}
	*n = json_array_size(json);
	return 0;
}

static unsigned char *unhex(const char *hex, size_t *len)
{
	unsigned char *bytes = malloc(strlen(hex) / 2 + 1);

	if (!bytes)
		exit(2);
	for (*len = 0; hex[0] && hex[1]; hex += 2) {
		const char digits[3] = {hex[0], hex[1], 0};

		bytes[(*len)++] = (unsigned char)strtoul(digits, NULL, 16);
	}
	return bytes;
}

static void read_parts(json_t *json, struct mail *mail)
{
	size_t i;
	json_t *item;

	json_array_foreach (json, i, item) {
		struct message_part *part = &mail->parts[i];

		if (i >= LIST_MAX)
			exit(2);
		mail->bytes[i] = unhex(text_of(item, "hex"), &part->len);
		part->bytes = mail->bytes[i];
		part->filename = text_of(item, "filename");
		part->content_type = text_of(item, "content_type");
		part->content_id = text_of(item, "content_id");
		part->place = json_is_true(json_object_get(item, "inline")) ? PART_INLINE
									    : PART_ATTACHMENT;
		if (json_is_true(json_object_get(item, "alternative")))
			part->place = PART_ALTERNATIVE;
	}
	mail->m.parts = mail->parts;
	mail->m.n_parts = json_array_size(json);
}

static void read_headers(json_t *json, struct mail *mail)
{
	size_t i;
	json_t *item;

	json_array_foreach (json, i, item) {
		if (i >= LIST_MAX)
			exit(2);
		mail->headers[i].name = json_string_value(json_array_get(item, 0));
		mail->headers[i].value = json_string_value(json_array_get(item, 1));
	}
	mail->m.headers = mail->headers;
	mail->m.n_headers = json_array_size(json);
}

static int read_mail(json_t *json, struct mail *mail, struct err *e)
{
	struct message *m = &mail->m;

	if (read_address(json_object_get(json, "from"), &mail->from, e) ||
	    read_list(json_object_get(json, "to"), mail->lists[0], &m->n_to, e) ||
	    read_list(json_object_get(json, "cc"), mail->lists[1], &m->n_cc, e) ||
	    read_list(json_object_get(json, "reply_to"), mail->lists[2], &m->n_reply_to, e))
		return -1;
	m->from = &mail->from;
	m->to = mail->lists[0];
	m->cc = mail->lists[1];
	m->reply_to = mail->lists[2];
	m->subject = text_of(json, "subject");
	m->text = text_of(json, "text");
	m->text_len = json_string_length(json_object_get(json, "text"));
	m->html = text_of(json, "html");
	m->html_len = json_string_length(json_object_get(json, "html"));
	m->message_id = text_of(json, "message_id");
	m->date_ms = json_integer_value(json_object_get(json, "date_ms"));
	read_parts(json_object_get(json, "parts"), mail);
	read_headers(json_object_get(json, "headers"), mail);
	return 0;
}

static int build(json_t *json, const struct dkim_keys *keys, struct mail *mail, struct err *e)
{
	struct buf body = {0}, signature = {0};
	int rc = read_mail(json, mail, e) || message_build(&mail->m, &body, e) ? -1 : 0;

	if (!rc && keys->n)
		rc = dkim_sign(keys, body.data, body.len,
			       json_integer_value(json_object_get(json, "t")), &signature, e);
	if (!rc) {
		printf("ok %zu\n", signature.len + body.len);
		fwrite(buf_text(&signature), 1, signature.len, stdout);
		fwrite(body.data, 1, body.len, stdout);
	}
	buf_deinit(&body);
	buf_deinit(&signature);
	return rc;
}

static void one(const char *line, const struct dkim_keys *keys)
{
	json_t *json = json_loads(line, 0, NULL);
	struct mail *mail = calloc(1, sizeof(*mail));
	struct err e = {0};

	if (!json || !mail)
		exit(2);
	if (build(json, keys, mail, &e))
		printf("refused %s\n", e.text);
	for (size_t i = 0; i < mail->m.n_parts; i++)
		free(mail->bytes[i]);
	free(mail);
	json_decref(json);
}

static int print_records(const struct dkim_keys *keys)
{
	struct buf records = {0};
	int rc = dkim_keys_records(keys, &records, NULL);

	fputs(buf_text(&records), stdout);
	buf_deinit(&records);
	return rc;
}

int main(int argc, char **argv)
{
	int is_records = argc == 5 && strcmp(argv[1], "records") == 0;
	struct dkim_keys keys = {0};
	struct err e = {0};
	char *line = NULL;
	size_t cap = 0;
	int rc = 0;

	if (argc >= 4 &&
	    dkim_keys_init(&keys, argv[argc - 3], argv[argc - 2], argv[argc - 1], &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (is_records)
		rc = print_records(&keys);
	while (!is_records && getline(&line, &cap, stdin) > 0)
		one(line, &keys);
	free(line);
	dkim_keys_deinit(&keys);
	return rc ? 1 : 0;
}

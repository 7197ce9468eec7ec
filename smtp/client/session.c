/* Walks the table of the conversation: octets in, octets out. Only session_enter changes the state.
 */
#include "smtp/client/session_end.h"
#include "smtp/client/session_mail.h"
#include "smtp/client/session_secret.h"
#include "smtp/client/session_table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MAX 1024
#define BLOCK_BYTES 65536 /* one block of the body, for the deadline of RFC 5321 4.5.3.2.5 */

static void discard_out(struct session *s)
{
	if (s->is_secret && s->out.data)
		explicit_bzero(s->out.data, s->out.cap);
	s->is_secret = false;
	s->out_at = 0;
	buf_reset(&s->out);
}

/* The only function that changes the state. Pipelined commands are not sent again. At the end,
 * unwritten octets are discarded: a dot must not be sent after its mail was deferred. */
void session_enter(struct session *s, enum session_state next)
{
	bool is_end = next == STATE_DONE || next == STATE_CLOSED;

	s->state = next;
	s->turn++;
	transcript_enter(s->transcript, session_table[next].phase);
	if (is_end)
		discard_out(s);
	else
		s->stage = next;
	if (next == STATE_IDLE)
		s->was_ready = true;
	if (next == STATE_CLOSED && s->is_polite)
		session_say_quit(s);
	else if (session_table[next].say && s->n_owed == 0)
		session_table[next].say(s);
	if (s->out.failed && next != STATE_CLOSED)
		session_lost(s, "out of memory");
}

void session_command(struct session *s, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	assert(n > 0 && (size_t)n < sizeof(line));
	buf_append(&s->out, line, (size_t)n);
	s->n_owed++;
}

static void wipe(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void session_forget_password(struct session *s)
{
	wipe(&s->password);
}

enum session_state session_done(struct session *s, enum session_state after)
{
	s->after = after;
	return STATE_DONE;
}

int session_reply_class(const struct reply *r)
{
	return r->code / 100;
}

/* The state after the reply in s->reply; `unread` octets came after it. */
static enum session_state handle_reply(struct session *s, size_t unread)
{
	const struct session_rule *rule = &session_table[s->state];
	enum session_state next;

	if (s->n_owed > 0)
		s->n_owed--;
	next = s->reply.code == 421 ? session_hear_421(s, &s->reply) : rule->hear(s, &s->reply);
	if (unread == 0 || s->n_owed > 0 || next == STATE_CLOSED || next == STATE_DONE)
		return next;
	/* A reply to no command. After the reply to STARTTLS it is an injection. */
	return session_desync(s, "a reply before its command");
}

/* A reply in AUTH is recorded when it is complete, without the password that it may quote. */
static void record_secret_reply(struct session *s)
{
	const char *cursor = NULL, *line;
	char head[8];
	size_t len, n = 0;

	session_strike(s, &s->reply);
	while ((line = reply_line(&s->reply, &cursor, &len))) {
		snprintf(head, sizeof(head), "%d%c", s->reply.code,
			 ++n < s->reply.n_lines ? '-' : ' ');
		transcript_heard(s->transcript, head, strlen(head));
		transcript_heard(s->transcript, line, len + 1);
	}
}

void session_hear(struct session *s, const char *bytes, size_t len)
{
	bool is_secret = false;

	if (len > 0 && s->state == STATE_IDLE)
		session_enter(s, STATE_CLOSED);
	while (len > 0 && session_table[s->state].hear) {
		size_t used;
		enum reply_status status = reply_feed(&s->reply, bytes, len, &used);
		enum session_state next;

		is_secret = session_is_secret(s);
		if (!is_secret)
			transcript_heard(s->transcript, bytes, used);
		else if (status == REPLY_DONE)
			record_secret_reply(s);
		bytes += used;
		len -= used;
		if (status == REPLY_MORE)
			return;
		if (status == REPLY_DONE)
			next = handle_reply(s, len);
		else
			next = session_desync(s, s->reply.error);
		reply_reset(&s->reply);
		session_enter(s, next);
	}
	if (!is_secret)
		transcript_heard(s->transcript, bytes, len);
	/* Octets that remain must never be read as replies to the next mail. */
	if (len > 0 && s->state == STATE_DONE)
		s->after = STATE_CLOSED;
}

size_t session_pieces(const struct session *s, struct iovec *pieces, size_t max)
{
	size_t n = 0;

	if (s->out.len > s->out_at && max > 0) {
		pieces[0].iov_base = s->out.data + s->out_at;
		pieces[0].iov_len = s->out.len - s->out_at;
		n = 1;
	}
	if (s->state == STATE_BODY)
		n += transaction_pieces(&s->mail, pieces + n, max - n);
	return n;
}

/* Records only octets that were written, and "****" for a password. */
static void record_said(struct session *s, size_t len)
{
	const char *from = s->out.data + s->out_at;

	if (!s->is_secret)
		transcript_said(s->transcript, from, len);
	else if (s->out_at == 0 && strncmp(from, "AUTH PLAIN ", 11) == 0)
		transcript_said(s->transcript, "AUTH PLAIN ****\n", 16);
	else if (s->out_at == 0)
		transcript_said(s->transcript, "****\n", 5);
}

/* Takes len octets, or fewer, from s->out. Returns how many. */
static size_t consume_out(struct session *s, size_t len)
{
	size_t n = s->out.len - s->out_at;

	if (n > 0)
		record_said(s, len < n ? len : n);
	if (len < n) {
		s->out_at += len;
		return len;
	}
	discard_out(s);
	return n;
}

void session_wrote(struct session *s, size_t len)
{
	struct iovec next;

	if (len > 0 && s->state == STATE_DOT)
		s->is_dot_out = true;
	len -= consume_out(s, len);
	if (s->state != STATE_BODY)
		return;
	transaction_wrote(&s->mail, len);
	transcript_sent_body(s->transcript, len);
	s->block_bytes += len;
	if (s->block_bytes >= BLOCK_BYTES) {
		s->block_bytes = 0;
		s->turn++;
	}
	if (!transaction_pieces(&s->mail, &next, 1))
		session_enter(s, STATE_FENCE);
}

/* RFC 5321 4.1.3. */
static void name_by_address(struct session *s, const char *ip)
{
	bool is_v6 = strchr(ip, ':');

	snprintf(s->helo_name, sizeof(s->helo_name), is_v6 ? "[IPv6:%s]" : "[%s]",
		 *ip ? ip : "127.0.0.1");
}

void session_connected(struct session *s, const char *own_ip)
{
	assert(s->state == STATE_CONNECT);
	if (!s->helo_name[0])
		name_by_address(s, own_ip);
	session_enter(s, s->is_implicit_tls ? STATE_TLS : STATE_GREETING);
}

void session_secured(struct session *s)
{
	assert(s->state == STATE_TLS);
	s->is_secure = true;
	session_enter(s, s->is_greeted ? STATE_EHLO : STATE_GREETING);
}

static void refuse_size(struct session *s)
{
	struct connection_result result = session_local(s, OUTCOME_TOO_BIG, "");

	snprintf(result.text, sizeof(result.text),
		 "the mail has %zu octets, the server takes at most %zu", s->mail.bytes,
		 s->offer.size_limit);
	transaction_settle_all(&s->mail, MARK_UNSETTLED, &result);
	session_enter(s, session_done(s, STATE_IDLE));
}

int session_send(struct session *s, const struct connection_mail *mail, struct err *e)
{
	if (s->state != STATE_IDLE)
		return err_set(e, ERR_RETRY, "the session is not ready");
	if (transaction_start(&s->mail, mail, e) < 0)
		return -1;
	s->n_mails++;
	s->is_dot_out = s->has_mail_open = false;
	if (s->offer.size_limit && s->mail.bytes > s->offer.size_limit)
		refuse_size(s);
	else
		session_enter(s, STATE_MAIL);
	return 0;
}

void session_dot(struct session *s)
{
	if (s->state == STATE_FENCE)
		session_enter(s, STATE_DOT);
}

void session_next(struct session *s)
{
	if (s->state == STATE_DONE)
		session_enter(s, s->after);
}

enum session_step session_step(const struct session *s)
{
	return session_table[s->state].step;
}

const char *session_stage(const struct session *s)
{
	return session_table[s->stage].name;
}

enum connection_phase session_phase(const struct session *s)
{
	return session_table[s->stage].phase;
}

int session_wait_s(const struct session *s)
{
	return session_table[s->state].wait_s;
}

unsigned session_turn(const struct session *s)
{
	return s->turn;
}

const struct connection_result *session_results(const struct session *s, size_t *n)
{
	*n = s->mail.mail.n_recipients;
	return s->mail.results;
}

const struct connection_result *session_failure(const struct session *s)
{
	return s->was_ready ? NULL : &s->failure;
}

/* One word of printable ASCII: it cannot end the command or add a parameter. */
static bool is_helo_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (name[i] <= 0x20 || name[i] > 0x7e)
			return false;
	return len <= 255;
}

static int copy_credentials(struct session *s, const struct session_options *o, struct err *e)
{
	if (!o->user)
		return 0;
	if (!o->password || strlen(o->user) > SECRET_MAX || strlen(o->password) > SECRET_MAX)
		return err_set(e, ERR_INPUT, "user or password is missing or too long");
	s->user = strdup(o->user);
	s->password = strdup(o->password);
	/* Reserved in full now, because a buffer that grows leaves copies of the password in
	 * memory. */
	if (!s->user || !s->password || !buf_reserve(&s->out, (size_t)4 * SECRET_MAX))
		return err_oom(e);
	return 0;
}

int session_new(struct session **out, const struct session_options *options, struct err *e)
{
	const char *helo_name = options->helo_name ? options->helo_name : "";
	struct session *s;

	if (!is_helo_name(helo_name))
		return err_set(e, ERR_INPUT,
			       "the name for EHLO is not one word of printable ASCII");
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_oom(e);
	snprintf(s->helo_name, sizeof(s->helo_name), "%s", helo_name);
	s->is_tls_required = options->is_tls_required || options->is_implicit_tls;
	s->may_starttls = options->may_starttls;
	s->may_auth_in_clear = options->may_auth_in_clear;
	s->is_mx = options->is_mx;
	if (copy_credentials(s, options, e) < 0) {
		session_free(s);
		return -1;
	}
	s->is_implicit_tls = options->is_implicit_tls;
	s->transcript = options->transcript;
	session_enter(s, STATE_CONNECT);
	*out = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	discard_out(s);
	wipe(&s->user);
	wipe(&s->password);
	reply_deinit(&s->reply);
	transaction_deinit(&s->mail);
	buf_deinit(&s->out);
	free(s);
}

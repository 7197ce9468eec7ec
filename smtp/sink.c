/* The built-in sink: an SMTP server that stores what it receives in the test inbox. */
#include "smtp/sink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/store/projects/inbox.h"

#define LINE_MAX_BYTES 2048
#define RECIPIENTS_MAX 1000
#define STORING_BYTES ((size_t)4 << 20) /* of mails that are being stored; the others wait */

struct sink {
	struct loop *loop;
	struct redis *redis;
	struct sink_peer *peers;
	size_t storing_bytes;
	uint64_t turns; /* given to peers that wait */
};

struct sink_peer {
	struct sink *sink;
	struct sink_peer *next;
	struct loop_fd watch;
	int fd;
	struct buf in, out, mail;
	char project[12];
	char message[31];
	char sender[320];
	char *recipients[RECIPIENTS_MAX];
	size_t n_recipients;
	bool is_in_data;
	bool is_gone;     /* the descriptor is closed */
	bool is_released; /* the caller of sink_connect has forgotten it */
	bool is_storing;
	uint64_t turn; /* waits to store its mail, the lowest first; 0 = does not wait */
};

static void add_reply(struct sink_peer *p, const char *text)
{
	buf_str(&p->out, text);
	buf_str(&p->out, "\r\n");
}

static void forget_mail(struct sink_peer *p)
{
	for (size_t i = 0; i < p->n_recipients; i++)
		free(p->recipients[i]);
	p->n_recipients = 0;
	buf_deinit(&p->mail);
	p->sender[0] = 0;
}

static void peer_free(struct sink_peer *p)
{
	struct sink_peer **at = &p->sink->peers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	forget_mail(p);
	buf_deinit(&p->in);
	buf_deinit(&p->out);
	free(p);
}

static void close_peer(struct sink_peer *p)
{
	if (!p->is_gone) {
		loop_fd_deinit(&p->watch);
		close(p->fd);
	}
	p->is_gone = true;
}

/* Frees the peer when nobody needs it any more. */
static void free_if_over(struct sink_peer *p)
{
	if (p->is_gone && p->is_released && !p->is_storing)
		peer_free(p);
}

static void hang_up(struct sink_peer *p)
{
	close_peer(p);
	free_if_over(p);
}

static bool flush(struct sink_peer *p)
{
	while (p->out.len) {
		ssize_t n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0)
			return false;
		buf_consume(&p->out, (size_t)n);
	}
	loop_fd_want(&p->watch, p->out.len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	return true;
}

/* ---- a mail is complete ---- */

static void read_lines(struct sink_peer *p);

static void store_next(struct sink *s);

static void on_stored(bool is_kept, const struct err *why, void *arg)
{
	struct sink_peer *p = arg;
	struct sink *s = p->sink;

	p->is_storing = false;
	s->storing_bytes -= p->mail.len;
	forget_mail(p);
	if (p->is_gone) {
		free_if_over(p);
	} else {
		add_reply(p, why       ? "451 4.3.0 the test inbox could not be written"
			     : is_kept ? "250 2.0.0 kept in the test inbox"
				       : "250 2.0.0 accepted, but the test inbox has no room");
		read_lines(p);
		if (!flush(p))
			hang_up(p);
	}
	store_next(s);
}

static void store_mail(struct sink_peer *p)
{
	const struct inbox_put put = {.project = p->project,
				      .message = p->message,
				      .sender = p->sender,
				      .received_ms = clock_real_ms(),
				      .mail = buf_text(&p->mail),
				      .mail_len = p->mail.len,
				      .recipients = p->recipients,
				      .n_recipients = p->n_recipients};

	p->turn = 0;
	p->is_storing = true;
	p->sink->storing_bytes += p->mail.len;
	inbox_put(p->sink->redis, &put, on_stored, p);
}

static struct sink_peer *find_waiting(const struct sink *s)
{
	struct sink_peer *first = NULL;

	for (struct sink_peer *p = s->peers; p; p = p->next)
		if (p->turn && !p->is_gone && (!first || p->turn < first->turn))
			first = p;
	return first;
}

static void store_next(struct sink *s)
{
	struct sink_peer *p;

	while (s->storing_bytes < STORING_BYTES && (p = find_waiting(s)))
		store_mail(p);
}

static void end_mail(struct sink_peer *p)
{
	p->is_in_data = false;
	if (p->mail.failed) {
		add_reply(p, "451 4.3.0 out of memory");
		forget_mail(p);
		return;
	}
	p->turn = ++p->sink->turns;
	store_next(p->sink);
}

/* One line of the body, dots unstuffed (RFC 5321 4.5.2), or the final dot. */
static void add_body_line(struct sink_peer *p, const char *line, size_t len)
{
	if (len == 1 && *line == '.') {
		end_mail(p);
		return;
	}
	if (len && *line == '.') {
		line++;
		len--;
	}
	if (p->mail.len > INBOX_MAIL_BYTES)
		return; /* the inbox keeps no more of it */
	buf_append(&p->mail, line, len);
	buf_append(&p->mail, "\r\n", 2);
}

/* ---- commands ---- */

/* The address between the angle brackets; NULL when there is none. */
static char *find_path(char *line)
{
	char *open = strchr(line, '<'), *close = open ? strchr(open, '>') : NULL;

	if (!close)
		return NULL;
	*close = 0;
	return open + 1;
}

static void do_mail(struct sink_peer *p, char *line)
{
	char *path = find_path(line);

	forget_mail(p);
	snprintf(p->sender, sizeof(p->sender), "%s", path ? path : "");
	add_reply(p, path ? "250 2.1.0 ok" : "501 5.5.4 MAIL FROM:<address>");
}

static void do_rcpt(struct sink_peer *p, char *line)
{
	char *path = find_path(line);

	if (!path) {
		add_reply(p, "501 5.5.4 RCPT TO:<address>");
		return;
	}
	if (p->n_recipients == RECIPIENTS_MAX) {
		add_reply(p, "452 4.5.3 too many recipients");
		return;
	}
	p->recipients[p->n_recipients] = strdup(path);
	if (!p->recipients[p->n_recipients]) {
		add_reply(p, "451 4.3.0 out of memory");
		return;
	}
	p->n_recipients++;
	add_reply(p, "250 2.1.5 ok");
}

static void do_data(struct sink_peer *p)
{
	p->is_in_data = p->n_recipients > 0;
	add_reply(p, p->is_in_data ? "354 go ahead" : "503 5.5.1 RCPT first");
}

static void do_rset(struct sink_peer *p)
{
	forget_mail(p);
	add_reply(p, "250 2.0.0 ok");
}

static void do_command(struct sink_peer *p, char *line)
{
	if (strncasecmp(line, "EHLO ", 5) == 0)
		add_reply(p, "250-sink\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"
			     "250 SIZE 67108864");
	else if (strncasecmp(line, "MAIL ", 5) == 0)
		do_mail(p, line);
	else if (strncasecmp(line, "RCPT ", 5) == 0)
		do_rcpt(p, line);
	else if (strcasecmp(line, "DATA") == 0)
		do_data(p);
	else if (strcasecmp(line, "RSET") == 0)
		do_rset(p);
	else if (strcasecmp(line, "QUIT") == 0)
		add_reply(p, "221 2.0.0 bye");
	else
		add_reply(p, "500 5.5.2 unknown command");
}

/* True while a complete mail waits for its turn or is being stored. Further lines wait. */
static bool has_whole_mail(const struct sink_peer *p)
{
	return p->is_storing || p->turn;
}

/* Handles whole lines, until a mail is complete. */
static void read_lines(struct sink_peer *p)
{
	size_t at = 0;

	while (!has_whole_mail(p)) {
		char *line = p->in.data + at;
		char *end = at < p->in.len ? memchr(line, '\n', p->in.len - at) : NULL;
		size_t len;

		if (!end)
			break;
		at += (size_t)(end - line) + 1;
		len = (size_t)(end - line);
		if (len && line[len - 1] == '\r')
			len--;
		if (p->is_in_data) {
			add_body_line(p, line, len);
			continue;
		}
		line[len] = 0;
		do_command(p, line);
	}
	buf_consume(&p->in, at);
}

static void on_socket(int fd, unsigned what, void *arg)
{
	struct sink_peer *p = arg;

	if (what & LOOP_READ) {
		char *to = buf_reserve(&p->in, 65536);
		ssize_t n = to ? recv(fd, to, 65536, 0) : -1;

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			hang_up(p);
			return;
		}
		if (n > 0)
			p->in.len += (size_t)n;
		read_lines(p);
		if (!p->is_in_data && !has_whole_mail(p) && p->in.len > LINE_MAX_BYTES) {
			hang_up(p);
			return;
		}
	}
	if (!flush(p))
		hang_up(p);
}

/* ---- connections ---- */

struct sink *sink_new(struct loop *loop, struct redis *redis)
{
	struct sink *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	s->redis = redis;
	return s;
}

void sink_free(struct sink *s)
{
	if (!s)
		return;
	while (s->peers) {
		struct sink_peer *p = s->peers;

		close_peer(p);
		peer_free(p); /* NOLINT(clang-analyzer-unix.Malloc): unlinks p */
	}
	free(s);
}

int sink_connect(struct sink *s, struct sink_peer **peer, struct err *e)
{
	struct sink_peer *p = calloc(1, sizeof(*p));
	int fds[2];

	if (!p)
		return err_oom(e);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		free(p);
		return err_set(e, ERR_RETRY, "socketpair: %s", strerror(errno));
	}
	p->sink = s;
	p->fd = fds[0];
	p->next = s->peers;
	s->peers = p;
	loop_fd_init(&p->watch, s->loop, p->fd, on_socket, p);
	add_reply(p, "220 sink ESMTP");
	loop_fd_want(&p->watch, LOOP_READ | LOOP_WRITE);
	*peer = p;
	return fds[1];
}

void sink_release(struct sink_peer *p)
{
	if (!p)
		return;
	p->is_released = true;
	free_if_over(p);
}

void sink_announce(struct sink_peer *p, const char *project, const char *message)
{
	snprintf(p->project, sizeof(p->project), "%s", project);
	snprintf(p->message, sizeof(p->message), "%s", message);
}

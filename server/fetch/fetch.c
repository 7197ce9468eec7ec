/* HTTP POSTs by libcurl's multi interface on our loop. */
#include "server/fetch/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/x509.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/base/number.h"
#include "server/route/netblock.h"

#define CONNECT_MS 10000L
#define RETRY_AFTER_MAX_S 86400
#define HEADERS_MAX_BYTES ((size_t)64 << 10)
#define SPARE_MAX 64

struct call {
	struct fetch *fetch;
	struct call *prev, *next;
	CURL *curl;
	struct curl_slist *headers;
	char *request;
	struct buf body;
	size_t answer_max, header_bytes;
	bool is_cut;   /* answer_max was reached, and we ended the transfer */
	bool has_head; /* the header of the response is complete */
	bool is_forbidden;
	int64_t retry_after_ms, began_ms;
	fetch_fn *fn;
	void *arg;
	char error[CURL_ERROR_SIZE];
};

/* A socket that libcurl wants watched. */
struct watch {
	struct fetch *fetch;
	struct loop_fd fd;
};

struct fetch {
	struct loop *loop;
	struct fetch_options options;
	CURLM *multi;
	struct loop_timer timer;
	struct loop_post done;
	struct call *calls;
	struct call *spare; /* handles of ended calls; their common options stay set */
	size_t n_spare;
};

int64_t fetch_retry_after(const char *text, int64_t now_s)
{
	size_t digits = strspn(text, "0123456789");
	int64_t s = RETRY_AFTER_MAX_S; /* what a greater number means */

	if (digits > 0) {
		if (text[digits])
			return -1;
		number_read(text, digits, RETRY_AFTER_MAX_S, &s);
	} else {
		s = (int64_t)curl_getdate(text, NULL);
		if (s < 0)
			return -1;
		s = s > now_s ? s - now_s : 0;
	}
	return (s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : s) * 1000;
}

/* ---- one call ---- */

static void call_free(struct call *c)
{
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	buf_deinit(&c->body);
	free(c->request);
	free(c);
}

/* Keeps the handle of a call that has ended, or was not started, for the next call. */
static void call_put_back(struct call *c)
{
	struct fetch *f = c->fetch;

	if (f->n_spare >= SPARE_MAX) {
		call_free(c);
		return;
	}
	curl_slist_free_all(c->headers);
	buf_deinit(&c->body);
	free(c->request);
	*c = (struct call){.fetch = f, .curl = c->curl, .next = f->spare};
	f->spare = c;
	f->n_spare++;
}

static void call_end(struct call *c)
{
	struct fetch *f = c->fetch;

	if (c->prev)
		c->prev->next = c->next;
	else
		f->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	curl_multi_remove_handle(f->multi, c->curl);
	call_put_back(c);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t len = size * n, room = c->answer_max - c->body.len;

	buf_append(&c->body, bytes, len < room ? len : room);
	if (len <= room && !c->body.failed)
		return len;
	c->is_cut = true;
	return 0; /* ends the transfer */
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
	static const char name[] = "retry-after:";
	struct call *c = arg;
	size_t len = size * n, skip = sizeof(name) - 1;
	char value[64];

	c->header_bytes += len;
	if (c->header_bytes > HEADERS_MAX_BYTES)
		return 0;
	c->has_head = len <= 2 && (*bytes == '\r' || *bytes == '\n');
	if (len <= skip || len - skip >= sizeof(value) || strncasecmp(bytes, name, skip) != 0)
		return len;
	memcpy(value, bytes + skip, len - skip);
	value[len - skip] = 0;
	value[strcspn(value, "\r\n")] = 0;
	c->retry_after_ms = fetch_retry_after(value + strspn(value, " \t"), clock_real_ms() / 1000);
	return len;
}

/* Checks the address that is connected to: a name may resolve to anything. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct call *c = arg;

	(void)purpose;
	if (!c->fetch->options.allow_private && netblock_is_private(&to->addr)) {
		c->is_forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
}

static const char *explain_failure(const struct call *c, CURLcode code)
{
	if (c->is_forbidden)
		return "the address is private, which is not allowed";
	if (c->header_bytes > HEADERS_MAX_BYTES)
		return "the header of the response is too long";
	return c->error[0] ? c->error : curl_easy_strerror(code);
}

static void call_finish(struct call *c, CURLcode code)
{
	struct fetch_answer a = {.error = "", .retry_after_ms = c->retry_after_ms};
	long status = 0;

	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	a.ms = clock_mono_ms() - c->began_ms;
	a.is_timeout = code == CURLE_OPERATION_TIMEDOUT;
	/* A complete header is a response, whatever happened to the body after it. */
	if (code == CURLE_OK || c->is_cut || c->has_head)
		a.status = (int)status;
	if (a.status < 200)
		a.status = 0;
	if (a.status == 0)
		a.error = explain_failure(c, code);
	a.body = buf_text(&c->body);
	a.body_len = c->body.len;
	c->fn(&a, c->arg);
	call_end(c);
}

static void collect_done(void *arg)
{
	struct fetch *f = arg;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(f->multi, &left))) {
		CURLcode code = message->data.result;
		struct call *c;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		call_finish(c, code);
	}
}

/* Sets the options that are the same for all calls of a handle. */
static void set_options(struct call *c)
{
	CURL *h = c->curl;

	curl_easy_setopt(h, CURLOPT_PRIVATE, c);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_POST, 1L);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "Postern/" POSTERN_VERSION);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	/* Without it, the end of a call waits for the thread that resolves its name. */
	curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
	/* With Debian's directory of certificates, libcurl reads all of them for each connection.
	 * The bundle file is read once. */
	curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	if (c->fetch->options.ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->fetch->options.ca_file);
	curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c);
}

/* Reuses handles, because making one costs more than a call. NULL: out of memory. */
static struct call *call_new(struct fetch *f)
{
	struct call *c = f->spare;

	if (c) {
		f->spare = c->next;
		f->n_spare--;
		c->next = NULL;
		return c;
	}
	c = calloc(1, sizeof(*c));
	if (!c || !(c->curl = curl_easy_init())) {
		free(c);
		return NULL;
	}
	c->fetch = f;
	set_options(c);
	return c;
}

static void call_begin(struct call *c)
{
	struct fetch *f = c->fetch;

	c->next = f->calls;
	if (f->calls)
		f->calls->prev = c;
	f->calls = c;
	curl_multi_add_handle(f->multi, c->curl);
}

static int add_headers(struct call *c, const char *const *headers)
{
	struct curl_slist *list = NULL;

	for (; headers && *headers; headers++) {
		list = curl_slist_append(c->headers, *headers);
		if (!list)
			return -1;
		c->headers = list;
	}
	list = curl_slist_append(c->headers, "Expect:"); /* do not wait for "100 Continue" */
	if (!list)
		return -1;
	c->headers = list;
	return 0;
}

int fetch_post(struct fetch *f, const struct fetch_request *q, fetch_fn *fn, void *arg,
	       struct err *e)
{
	struct call *c = call_new(f);

	if (!c)
		return err_oom(e);
	c->fn = fn;
	c->arg = arg;
	c->answer_max = q->answer_max;
	c->retry_after_ms = -1;
	c->began_ms = clock_mono_ms();
	c->request = malloc(q->body_len + 1);
	if (!c->request || add_headers(c, q->headers) < 0) {
		call_put_back(c);
		return err_oom(e);
	}
	memcpy(c->request, q->body, q->body_len);
	curl_easy_setopt(c->curl, CURLOPT_URL, q->url);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->request);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
	call_begin(c);
	return 0;
}

/* ---- libcurl in the loop ---- */

static void on_ready(int fd, unsigned what, void *arg)
{
	struct fetch *f = ((struct watch *)arg)->fetch;
	int flags = (what & LOOP_READ ? CURL_CSELECT_IN : 0) |
		    (what & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(f->multi, fd, flags, &running);
	loop_post(&f->done);
}

static void on_time(void *arg)
{
	struct fetch *f = arg;
	int running;

	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	loop_post(&f->done);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
	struct fetch *f = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_cancel(&f->timer);
	else
		loop_timer_set(&f->timer, ms);
	return 0;
}

static struct watch *watch_new(struct fetch *f, int fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->fetch = f;
	loop_fd_init(&w->fd, f->loop, fd, on_ready, w);
	curl_multi_assign(f->multi, fd, w);
	return w;
}

/* -1 (out of memory): libcurl fails all open calls, each with its callback. */
static int want_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct fetch *f = arg;
	struct watch *w = socket_arg;

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			loop_fd_deinit(&w->fd);
		free(w);
		return 0;
	}
	if (!w)
		w = watch_new(f, fd);
	if (!w)
		return -1;
	return loop_fd_want(&w->fd, (what & CURL_POLL_IN ? LOOP_READ : 0) |
					    (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
}

static int check_authorities(const char *file, struct err *e)
{
	X509_STORE *store = X509_STORE_new();
	int rc = store && X509_STORE_load_file(store, file) == 1;

	X509_STORE_free(store);
	if (rc)
		return 0;
	return err_set(e, ERR_INPUT, "%s: not a PEM file with CA certificates", file);
}

int fetch_open(struct fetch **out, struct loop *loop, const struct fetch_options *o, struct err *e)
{
	struct fetch *f;

	if (o->ca_file && check_authorities(o->ca_file, e) < 0)
		return -1;
	f = calloc(1, sizeof(*f));
	if (!f)
		return err_oom(e);
	f->loop = loop;
	f->options = *o;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(f->multi = curl_multi_init()) ||
	    loop_timer_init(&f->timer, loop, on_time, f) < 0 ||
	    loop_post_init(&f->done, loop, collect_done, f) < 0) {
		fetch_close(f);
		return err_oom(e);
	}
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)o->max_connections);
	*out = f;
	return 0;
}

void fetch_close(struct fetch *f)
{
	struct call *c;

	if (!f)
		return;
	while (f->calls)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed was unlinked first */
		call_end(f->calls);
	while ((c = f->spare)) {
		f->spare = c->next;
		call_free(c);
	}
	if (f->multi)
		curl_multi_cleanup(f->multi);
	loop_timer_deinit(&f->timer);
	loop_post_deinit(&f->done);
	free(f);
	curl_global_cleanup();
}

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
#include "server/base/links.h"
#include "server/base/number.h"
#include "server/fetch/curl_loop.h"
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
	size_t response_max, header_bytes;
	bool is_cut;   /* response_max was reached, and we ended the transfer */
	bool has_head; /* the header of the response is complete */
	bool is_forbidden;
	int64_t retry_after_ms, began_ms;
	fetch_fn *fn;
	void *arg;
	char error[CURL_ERROR_SIZE];
};

struct fetch {
	struct fetch_options options;
	struct curl_loop curl;
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

	LINKS_REMOVE(f->calls, c);
	curl_multi_remove_handle(f->curl.multi, c->curl);
	call_put_back(c);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t len = size * n, room = c->response_max - c->body.len;

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

static void call_finish(CURL *curl, CURLcode code)
{
	struct fetch_response a = {.error = ""};
	struct call *c;
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&c);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	a.retry_after_ms = c->retry_after_ms;
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

	LINKS_ADD(f->calls, c);
	curl_multi_add_handle(f->curl.multi, c->curl);
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
	c->response_max = q->response_max;
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

/* ---- open and close ---- */

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
	f->options = *o;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    curl_loop_init(&f->curl, loop, o->max_connections, call_finish) < 0) {
		fetch_close(f);
		return err_oom(e);
	}
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
	curl_loop_deinit(&f->curl);
	free(f);
	curl_global_cleanup();
}

/* DNS queries: libunbound on the event loop. */
#include "server/route/dns.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unbound-event.h>

#include "server/base/links.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/number.h"
#include "server/route/dns_packet.h"

#define CLASS_IN 1
#define RCODE_NXDOMAIN 3
#define QUESTIONS_MAX 16384 /* open ones, with the cancelled ones */
#define SERVERS_MAX 8
#define SERVER_LEN_MAX 64

struct dns_question {
	struct dns *dns;
	dns_fn *fn; /* NULL: cancelled; freed when libunbound calls back */
	void *arg;
	enum dns_type type;
	struct dns_answer answer;
	struct dns_question *prev, *next; /* in dns->open, or (next alone) dns->done */
};

struct dns {
	struct ub_ctx *ub;
	struct loop_post post;
	struct dns_question *open;
	struct dns_question *done, **done_end;
	size_t n_open;
};

/* Caches are small, because each process has its own. Small host-ttl and max-rtt and keep-probing:
 * a dead server is tried again within seconds, so Postern soon notices that it is back. */
static const struct {
	const char *name;
	const char *value;
} settings[] = {
	{"msg-cache-size:", "1m"},        {"rrset-cache-size:", "2m"},
	{"key-cache-size:", "256k"},      {"neg-cache-size:", "256k"},
	{"infra-cache-numhosts:", "512"}, {"outgoing-range:", "128"},
	{"outgoing-num-tcp:", "8"},       {"num-queries-per-thread:", "2048"},
	{"cache-max-ttl:", "86400"},      {"cache-max-negative-ttl:", "60"},
	{"infra-host-ttl:", "5"},         {"infra-cache-max-rtt:", "4000"},
	{"infra-keep-probing:", "yes"},   {"do-not-query-localhost:", "no"},
};

static void release(struct dns_question *q)
{
	free(q->answer.mx);
	free(q->answer.addresses);
	free(q);
}

/* Runs at the end of the loop turn: callbacks never run inside libunbound. */
static void call_back(void *arg)
{
	struct dns *d = arg;
	struct dns_question *q = d->done;

	d->done = NULL;
	d->done_end = &d->done;
	while (q) {
		struct dns_question *next = q->next;

		if (q->fn)
			q->fn(&q->answer, q->arg);
		release(q);
		q = next;
	}
}

/* NOLINTNEXTLINE(readability-function-size): libunbound's signature */
static void on_answer(void *arg, int code, void *packet, int len, int security, char *why_bogus,
		      int was_ratelimited)
{
	struct dns_question *q = arg;
	struct dns *d = q->dns;
	bool is_bogus = security == 1;

	(void)why_bogus;
	(void)was_ratelimited;
	LINKS_REMOVE(d->open, q);
	d->n_open--;
	q->answer.status = code == RCODE_NXDOMAIN && !is_bogus ? DNS_NO_NAME : DNS_FAILED;
	if (code == 0 && !is_bogus && packet && len > 0 &&
	    dns_packet_read(packet, (size_t)len, q->type, &q->answer) < 0)
		q->answer.status = DNS_FAILED;
	q->next = NULL;
	*d->done_end = q;
	d->done_end = &q->next;
	loop_post(&d->post);
}

struct dns_question *dns_ask(struct dns *d, const char *name, enum dns_type type, dns_fn *fn,
			     void *arg)
{
	struct dns_question *q;

	if (d->n_open >= QUESTIONS_MAX)
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	*q = (struct dns_question){.dns = d, .fn = fn, .arg = arg, .type = type};
	LINKS_ADD(d->open, q);
	d->n_open++;
	/* on_answer may run before this returns: with a cached answer. */
	if (ub_resolve_event(d->ub, name, (int)type, CLASS_IN, q, on_answer, NULL) != 0)
		on_answer(q, -1, NULL, 0, 0, NULL, 0);
	return q;
}

void dns_cancel(struct dns_question *q)
{
	if (q)
		q->fn = NULL;
}

/* Copies the next word of *text. Returns its length, 0 at the end, SERVER_LEN_MAX if it is too
 * long. */
static size_t next_word(const char **text, char word[SERVER_LEN_MAX])
{
	size_t len;

	*text += strspn(*text, " \t,");
	len = strcspn(*text, " \t,");
	if (len >= SERVER_LEN_MAX)
		return SERVER_LEN_MAX;
	memcpy(word, *text, len);
	word[len] = '\0';
	*text += len;
	return len;
}

static bool is_server(const char *word)
{
	char host[SERVER_LEN_MAX];
	struct in6_addr addr;
	size_t len = strcspn(word, "@");
	int64_t port;

	memcpy(host, word, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &addr) != 1 && inet_pton(AF_INET6, host, &addr) != 1)
		return false;
	if (!word[len])
		return true;
	return number_parse(word + len + 1, strlen(word + len + 1), 1, 65535, &port) == 0;
}

int dns_check_servers(const char *servers, struct err *e)
{
	char word[SERVER_LEN_MAX];
	int n = 0;

	for (;;) {
		size_t len = next_word(&servers, word);

		if (!len)
			return 0;
		if (len == SERVER_LEN_MAX || !is_server(word))
			return err_set(e, ERR_INPUT,
				       "server %d is not an address or address@port (as in "
				       "127.0.0.1@5353 9.9.9.9)",
				       n + 1);
		if (++n > SERVERS_MAX)
			return err_set(e, ERR_INPUT, "more than %d servers", SERVERS_MAX);
	}
}

static int forward(struct ub_ctx *ub, const char *servers, struct err *e)
{
	char word[SERVER_LEN_MAX];
	int rc;

	if (dns_check_servers(servers, e) < 0)
		return -1;
	while (next_word(&servers, word)) {
		rc = ub_ctx_set_fwd(ub, word);
		if (rc != 0)
			return err_set(e, ERR_INTERNAL, "DNS server %s: %s", word, ub_strerror(rc));
	}
	return 0;
}

static void warn_unreadable(const char *file)
{
	LOG_ONCE(LOG_WARN, "dns.unreadable", LOG_S("file", file));
}

static int set_up(struct ub_ctx *ub, const struct dns_options *options, struct err *e)
{
	int rc;

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		rc = ub_ctx_set_option(ub, settings[i].name, settings[i].value);
		if (rc != 0)
			return err_set(e, ERR_INTERNAL, "libunbound: %s %s", settings[i].name,
				       ub_strerror(rc));
	}
	if (options->servers[strspn(options->servers, " \t,")]) {
		if (forward(ub, options->servers, e) < 0)
			return -1;
	} else if (ub_ctx_resolvconf(ub, NULL) != 0) {
		warn_unreadable("/etc/resolv.conf");
	}
	if (options->use_hosts && ub_ctx_hosts(ub, NULL) != 0)
		warn_unreadable("/etc/hosts");
	/* libunbound answers queries for some special names itself. Queries for test. (RFC 6761)
	 * must go to the name server; the root returns NXDOMAIN. This call must be the last:
	 * libunbound accepts no option after it. */
	rc = ub_ctx_zone_remove(ub, "test.");
	if (rc != 0)
		return err_set(e, ERR_INTERNAL, "libunbound: %s", ub_strerror(rc));
	return 0;
}

int dns_new(struct dns **d, struct loop *loop, const struct dns_options *options, struct err *e)
{
	struct dns *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return err_oom(e);
	fresh->done_end = &fresh->done;
	fresh->ub = ub_ctx_create_event(loop_base(loop));
	if (!fresh->ub || loop_post_init(&fresh->post, loop, call_back, fresh) < 0) {
		dns_free(fresh);
		return err_set(e, ERR_INTERNAL, "cannot start libunbound");
	}
	if (set_up(fresh->ub, options, e) < 0) {
		dns_free(fresh);
		return -1;
	}
	*d = fresh;
	return 0;
}

static void release_all(struct dns_question *q)
{
	while (q) {
		struct dns_question *next = q->next;

		release(q);
		q = next;
	}
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	if (d->ub)
		ub_ctx_delete(d->ub);
	release_all(d->open);
	release_all(d->done);
	loop_post_deinit(&d->post);
	free(d);
}

/* Counters, gauges and histograms in a shared mapping, one slot a process. */
#include "server/base/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "server/base/buf.h"
#include "server/base/clock.h"

/* The upper bounds of the buckets; one more bucket has all that is slower. */
#define BUCKETS 12
static const int64_t bounds_ms[BUCKETS] = {1,   2,   5,    10,   20,    50,
					   100, 250, 1000, 5000, 60000, 3600000};

/* A value counts in one bucket only. metrics_render adds up the buckets, as scrapers expect
 * them. */
struct histogram {
	_Atomic int64_t buckets[BUCKETS + 1];
	_Atomic int64_t sum;
};

struct slot {
	_Atomic int64_t values[METRIC_COUNT];
	struct histogram histograms[METRIC_HISTOGRAMS];
};

/* Both are NULL before metrics_init. Then nothing is counted, as in commands that are clients. */
static struct slot *slots;
static struct slot *mine;

static const struct {
	const char *name; /* rows of one name are one family with different labels */
	const char *labels;
	const char *type;
	const char *help;
} table[METRIC_COUNT] = {
	[METRIC_REQUESTS_2XX] = {"postern_http_requests_total", "class=\"2xx\"", "counter",
				 "HTTP responses by status class"},
	[METRIC_REQUESTS_4XX] = {"postern_http_requests_total", "class=\"4xx\"", "counter", NULL},
	[METRIC_REQUESTS_5XX] = {"postern_http_requests_total", "class=\"5xx\"", "counter", NULL},
	[METRIC_HTTP_CONNECTIONS] = {"postern_http_connections", "", "gauge",
				     "HTTP connections open now"},
	[METRIC_HTTP_ENDED] = {"postern_http_connections_ended_total", "", "counter",
			       "Waiting HTTP connections ended to make room for new ones"},
	[METRIC_HTTP_REFUSED] = {"postern_http_connections_refused_total", "", "counter",
				 "New HTTP connections refused because there was no room"},
	[METRIC_API_PROCESSES] = {"postern_api_processes", "", "gauge",
				  "API processes that take connections"},
	[METRIC_ACCEPTED] = {"postern_messages_accepted_total", "", "counter",
			     "Messages written to Redis and accepted with 202"},
	[METRIC_REPLAYED] = {"postern_messages_replayed_total", "", "counter",
			     "Requests whose response was repeated for their Idempotency-Key"},
	[METRIC_QUEUE_FULL] = {"postern_messages_queue_full_total", "", "counter",
			       "Messages refused with 429 because their project reached a limit"},
	[METRIC_SUPPRESSIONS_DROPPED] =
		{"postern_suppressions_dropped_total", "", "counter",
		 "Addresses removed from full suppression lists, counted in each partition"},
	[METRIC_ACCEPT_BATCHES] =
		{"postern_accept_batches_total", "", "counter",
		 "Calls of the accept script; accepted / batches is the mean batch size"},
	[METRIC_ACCEPTS_DELAYED] = {"postern_accepts_delayed_total", "", "counter",
				    "Messages whose acceptance waited because relays were behind"},
	[METRIC_BEHIND_NORMAL] = {"postern_relays_behind", "lane=\"normal\"", "gauge",
				  "Relays that are behind with the mail of a lane, because the "
				  "machine or Redis is busy"},
	[METRIC_BEHIND_BULK] = {"postern_relays_behind", "lane=\"bulk\"", "gauge", NULL},
	[METRIC_TAKEN] = {"postern_jobs_taken_total", "", "counter", "Jobs leased by relays"},
	[METRIC_GIVEN_BACK] = {"postern_jobs_given_back_total", "", "counter",
			       "Jobs returned without an attempt"},
	[METRIC_TAKE_CALLS] = {"postern_take_calls_total", "", "counter",
			       "Calls of the take script"},
	[METRIC_DELIVERED] = {"postern_recipients_total", "state=\"delivered\"", "counter",
			      "Results of recipients"},
	[METRIC_DEFERRED] = {"postern_recipients_total", "state=\"deferred\"", "counter", NULL},
	[METRIC_BOUNCED] = {"postern_recipients_total", "state=\"bounced\"", "counter", NULL},
	[METRIC_EXPIRED] = {"postern_recipients_total", "state=\"expired\"", "counter", NULL},
	[METRIC_FAILED] = {"postern_recipients_total", "state=\"failed\"", "counter", NULL},
	[METRIC_HELD] = {"postern_recipients_total", "state=\"held\"", "counter", NULL},
	[METRIC_UNKNOWN_OUTCOMES] =
		{"postern_unknown_outcomes_total", "", "counter",
		 "Messages sent completely whose final reply was never received"},
	[METRIC_CONNECTIONS_OPENED] = {"postern_smtp_connections_total", "", "counter",
				       "SMTP connections opened"},
	[METRIC_CONNECTIONS_OPEN] = {"postern_smtp_connections", "", "gauge",
				     "SMTP connections open now"},
	[METRIC_CONNECTIONS_CONNECTING] = {"postern_smtp_connections_by_state",
					   "state=\"connecting\"", "gauge",
					   "SMTP connections open now, by state"},
	[METRIC_CONNECTIONS_IDLE] = {"postern_smtp_connections_by_state", "state=\"idle\"", "gauge",
				     NULL},
	[METRIC_CONNECTIONS_BUSY] = {"postern_smtp_connections_by_state", "state=\"busy\"", "gauge",
				     NULL},
	[METRIC_CONNECTIONS_ENDING] = {"postern_smtp_connections_by_state", "state=\"ending\"",
				       "gauge", NULL},
	[METRIC_CONNECTIONS_YIELDED] = {"postern_smtp_connections_yielded_total", "", "counter",
					"SMTP connections that were idle, not ready or without a "
					"reply before the body, and ended because other mail "
					"waited for a connection"},
	[METRIC_ADDRESSES_SILENT] =
		{"postern_smtp_silent_addresses_total", "", "counter",
		 "Connections not opened because too many connections to the same address "
		 "had no greeting yet"},
	[METRIC_JOBS_LEASED] = {"postern_jobs_leased", "", "gauge", "Jobs leased by relays now"},
	[METRIC_TLS_SESSIONS] = {"postern_smtp_tls_sessions_total", "", "counter",
				 "SMTP sessions with TLS"},
	[METRIC_TLS_FAILURES] = {"postern_smtp_tls_failures_total", "", "counter",
				 "TLS handshakes with mail servers that failed"},
	[METRIC_TRANSCRIPTS_DROPPED] = {"postern_transcripts_dropped_total", "", "counter",
					"Transcripts of failed attempts that could not be stored"},
	[METRIC_INBOX_DROPPED] =
		{"postern_test_inbox_dropped_total", "", "counter",
		 "Mails of the test inbox that were removed or not kept for lack of room"},
	[METRIC_DKIM_UNSIGNED] =
		{"postern_dkim_unsigned_total", "", "counter",
		 "Mails sent without a DKIM signature because dkim_domain does not "
		 "cover their From domain, counted at each attempt"},
	[METRIC_STORE_CALLS] = {"postern_store_calls_total", "", "counter",
				"Script calls that Redis replied to"},
	[METRIC_STORE_RERUNS] =
		{"postern_store_reruns_total", "", "counter",
		 "Script calls repeated after a lost connection or a temporary error"},
	[METRIC_STORE_LOST] = {"postern_store_connections_lost_total", "", "counter",
			       "Lost connections to Redis"},
	[METRIC_STORE_READY] =
		{"postern_store_ready", "", "gauge",
		 "1 while Redis responds and its settings are as required, in a Redis "
		 "Cluster for some partition"},
	[METRIC_QUEUE_READY_PROJECTS] =
		{"postern_queue_ready_projects", "", "gauge",
		 "Projects that may get a connection for ready jobs, in each lane"},
	[METRIC_QUEUE_OTP_LATE] =
		{"postern_queue_otp_late_total", "", "counter",
		 "Jobs of lane otp that queued in lane normal, because their project had "
		 "POSTERN_OTP_WAITING of them waiting"},
	[METRIC_QUEUE_READY] = {"postern_queue_jobs", "where=\"ready\"", "gauge",
				"Jobs in the queue by state"},
	[METRIC_QUEUE_DUE] = {"postern_queue_jobs", "where=\"due\"", "gauge", NULL},
	[METRIC_QUEUE_LEASED] = {"postern_queue_jobs", "where=\"leased\"", "gauge", NULL},
	[METRIC_QUEUE_DAMAGED] = {"postern_queue_jobs", "where=\"damaged\"", "gauge", NULL},
	[METRIC_QUEUE_OLDEST_DUE_MS] =
		{"postern_queue_oldest_due_ms", "", "gauge",
		 "How long the oldest waiting job is past its due time, in ms"},
	[METRIC_QUEUE_MESSAGES] = {"postern_queue_messages", "", "gauge",
				   "Messages that are not finished"},
	[METRIC_STORED_BYTES] = {"postern_stored_bytes", "", "gauge",
				 "Bytes of all messages, as counted for the limits of projects"},
	[METRIC_STORE_BYTES] = {"postern_store_memory_bytes", "", "gauge", "used_memory of Redis"},
	[METRIC_QUEUE_UNATTENDED_MS] = {"postern_queue_unattended_ms", "", "gauge",
					"How long mail has been ready while no relay was active, "
					"in ms; more than 60000 is an alarm"},
	[METRIC_CANARIES] =
		{"postern_canaries_total", "", "counter",
		 "Test messages that went through the queue and a relay; one after each start"},
	[METRIC_CHILD_RESTARTS] = {"postern_child_restarts_total", "", "counter",
				   "Processes that ended unexpectedly and were started again"},
	[METRIC_WEBHOOKS_DELIVERED] = {"postern_webhook_attempts_total", "result=\"delivered\"",
				       "counter", "Webhook attempts by result"},
	[METRIC_WEBHOOKS_FAILED] = {"postern_webhook_attempts_total", "result=\"failed\"",
				    "counter", NULL},
	[METRIC_WEBHOOKS_LOST] = {"postern_webhook_losses_total", "", "counter",
				  "Events, or ranges of events, that were deleted after their "
				  "retention before a webhook received them"},
	[METRIC_WEBHOOK_ENDPOINTS] = {"postern_webhook_endpoints", "", "gauge",
				      "Enabled webhook endpoints"},
	[METRIC_WEBHOOK_RETRIES] = {"postern_webhook_retries", "", "gauge",
				    "Webhook deliveries that wait for their next attempt"},
	[METRIC_WEBHOOK_LAG_MS] = {"postern_webhook_lag_ms", "", "gauge",
				   "Age of the oldest event that has not been sent to its endpoint "
				   "or queued for a retry, in ms"},
	[METRIC_RELOADS_FAILED] = {"postern_reloads_failed_total", "", "counter",
				   "Reloads (SIGHUP) that were refused or rolled back"},
	[METRIC_LOG_DROPPED] = {"postern_log_lines_dropped", "", "gauge",
				"Log lines dropped because stderr was blocked"},
};

static const struct {
	const char *name;
	const char *help;
} histogram_table[METRIC_HISTOGRAMS] = {
	[METRIC_ACCEPT_MS] = {"postern_accept_duration_ms",
			      "POST /v1/messages, from request to response"},
	[METRIC_DELIVERY_MS] = {"postern_delivery_duration_ms", "From accepted to delivered"},
	[METRIC_WEBHOOK_MS] = {"postern_webhook_duration_ms",
			       "From an event to a successful response of the webhook"},
};

int metrics_init(void)
{
	void *map = mmap(NULL, sizeof(struct slot) * METRIC_SLOTS, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return -1;
	slots = map;
	mine = slots;
	return 0;
}

static bool is_gauge(enum metric m)
{
	return strcmp(table[m].type, "gauge") == 0;
}

void metrics_clear_gauges(unsigned slot)
{
	/* A counter keeps its value: scrapers take a smaller one for a restart of the whole
	 * server. */
	for (int m = 0; slots && m < METRIC_COUNT; m++)
		if (is_gauge((enum metric)m))
			atomic_store_explicit(&slots[slot % METRIC_SLOTS].values[m], 0,
					      memory_order_relaxed);
}

void metrics_use_slot(unsigned slot)
{
	if (!slots)
		return;
	mine = &slots[slot % METRIC_SLOTS];
	metrics_clear_gauges(slot);
}

void metric_add(enum metric m, int64_t n)
{
	/* Relaxed: no reader concludes anything about other memory from a metric. */
	if (mine)
		atomic_fetch_add_explicit(&mine->values[m], n, memory_order_relaxed);
}

void metric_set(enum metric m, int64_t value)
{
	if (mine)
		atomic_store_explicit(&mine->values[m], value, memory_order_relaxed);
}

int64_t metric_sum(enum metric m)
{
	int64_t sum = 0;

	for (int i = 0; slots && i < METRIC_SLOTS; i++)
		sum += atomic_load_explicit(&slots[i].values[m], memory_order_relaxed);
	return sum;
}

void metric_hold(enum metric m, int64_t ms)
{
	metric_set(m, ms ? clock_mono_ms() + ms : 0);
}

int64_t metric_holders(enum metric m)
{
	int64_t now_ms = clock_mono_ms(), n = 0;

	for (int i = 0; slots && i < METRIC_SLOTS; i++)
		n += atomic_load_explicit(&slots[i].values[m], memory_order_relaxed) > now_ms;
	return n;
}

int64_t metric_least(enum metric m, enum metric has)
{
	int64_t least = INT64_MAX;

	for (int i = 0; slots && i < METRIC_SLOTS; i++) {
		int64_t value = atomic_load_explicit(&slots[i].values[m], memory_order_relaxed);

		if (value < least &&
		    atomic_load_explicit(&slots[i].values[has], memory_order_relaxed) != 0)
			least = value;
	}
	return least;
}

void metric_observe(enum metric_histogram h, int64_t ms)
{
	int b = 0;

	if (!mine)
		return;
	while (b < BUCKETS && ms > bounds_ms[b])
		b++;
	atomic_fetch_add_explicit(&mine->histograms[h].buckets[b], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&mine->histograms[h].sum, ms, memory_order_relaxed);
}

/* The value for a scraper. If all processes report the same thing, it is the highest value, else
 * the sum. */
static int64_t shown(enum metric m)
{
	int64_t most = 0, value;

	if (m == METRIC_BEHIND_NORMAL || m == METRIC_BEHIND_BULK)
		return metric_holders(m);
	if (m != METRIC_STORE_READY && m != METRIC_STORE_BYTES && m != METRIC_QUEUE_UNATTENDED_MS)
		return metric_sum(m);
	for (int i = 0; slots && i < METRIC_SLOTS; i++) {
		value = atomic_load_explicit(&slots[i].values[m], memory_order_relaxed);
		most = value > most ? value : most;
	}
	return most;
}

static void render_histogram(struct buf *out, int h)
{
	const char *name = histogram_table[h].name;
	int64_t count = 0, sum = 0;

	buf_fmt(out, "# HELP %s %s\n# TYPE %s histogram\n", name, histogram_table[h].help, name);
	for (int b = 0; b <= BUCKETS; b++) {
		for (int i = 0; slots && i < METRIC_SLOTS; i++)
			count += atomic_load(&slots[i].histograms[h].buckets[b]);
		if (b < BUCKETS)
			buf_fmt(out, "%s_bucket{le=\"%" PRId64 "\"} %" PRId64 "\n", name,
				bounds_ms[b], count);
		else
			buf_fmt(out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n", name, count);
	}
	for (int i = 0; slots && i < METRIC_SLOTS; i++)
		sum += atomic_load(&slots[i].histograms[h].sum);
	buf_fmt(out, "%s_sum %" PRId64 "\n%s_count %" PRId64 "\n", name, sum, name, count);
}

void metrics_render(struct buf *out)
{
	for (int m = 0; m < METRIC_COUNT; m++) {
		if (table[m].help)
			buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", table[m].name, table[m].help,
				table[m].name, table[m].type);
		buf_fmt(out, *table[m].labels ? "%s{%s} %" PRId64 "\n" : "%s%s %" PRId64 "\n",
			table[m].name, table[m].labels, shown((enum metric)m));
	}
	for (int h = 0; h < METRIC_HISTOGRAMS; h++)
		render_histogram(out, h);
}

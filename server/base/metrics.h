#ifndef SERVER_BASE_METRICS_H
#define SERVER_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* Metrics for operators. They are in memory that all processes of one `postern` share, with one
 * slot per process. Counting is one atomic add, and any API process can show the sum. A table in
 * metrics.c has the Prometheus name, labels, type and help of each. */

enum metric {
	METRIC_REQUESTS_2XX,
	METRIC_REQUESTS_4XX,
	METRIC_REQUESTS_5XX,
	METRIC_HTTP_CONNECTIONS, /* gauge */
	METRIC_HTTP_ENDED,
	METRIC_HTTP_REFUSED,
	METRIC_API_PROCESSES, /* gauge: 1 while this one takes connections */
	METRIC_ACCEPTED,
	METRIC_REPLAYED,
	METRIC_QUEUE_FULL,
	METRIC_SUPPRESSIONS_DROPPED,
	METRIC_ACCEPT_BATCHES,
	METRIC_ACCEPTS_DELAYED,
	METRIC_BEHIND_NORMAL, /* held while this relay cannot keep up with the lane */
	METRIC_BEHIND_BULK,
	METRIC_TAKEN,
	METRIC_GIVEN_BACK,
	METRIC_TAKE_CALLS,
	METRIC_DELIVERED,
	METRIC_DEFERRED,
	METRIC_BOUNCED,
	METRIC_EXPIRED,
	METRIC_FAILED,
	METRIC_HELD,
	METRIC_UNKNOWN_OUTCOMES,
	METRIC_CONNECTIONS_OPENED,
	METRIC_CONNECTIONS_OPEN,       /* gauge */
	METRIC_CONNECTIONS_CONNECTING, /* gauges: those open, by state */
	METRIC_CONNECTIONS_IDLE,
	METRIC_CONNECTIONS_BUSY,
	METRIC_CONNECTIONS_ENDING,
	METRIC_CONNECTIONS_YIELDED,
	METRIC_ADDRESSES_SILENT,
	METRIC_JOBS_LEASED, /* gauge */
	METRIC_TLS_SESSIONS,
	METRIC_TLS_FAILURES,
	METRIC_TRANSCRIPTS_DROPPED,
	METRIC_INBOX_DROPPED,
	METRIC_DKIM_UNSIGNED,
	METRIC_STORE_CALLS,
	METRIC_STORE_RERUNS,
	METRIC_STORE_LOST,
	METRIC_STORE_READY,          /* gauge: 1 while Redis responds and its settings are right */
	METRIC_QUEUE_READY_PROJECTS, /* gauges, keeper only */
	METRIC_QUEUE_OTP_LATE,
	METRIC_QUEUE_READY,
	METRIC_QUEUE_DUE,
	METRIC_QUEUE_LEASED,
	METRIC_QUEUE_DAMAGED,
	METRIC_QUEUE_OLDEST_DUE_MS,
	METRIC_QUEUE_MESSAGES,
	METRIC_STORED_BYTES,
	METRIC_STORE_BYTES,         /* the same in all processes */
	METRIC_QUEUE_UNATTENDED_MS, /* the same in all API processes */
	METRIC_CANARIES,
	METRIC_WEBHOOKS_DELIVERED,
	METRIC_WEBHOOKS_FAILED,
	METRIC_WEBHOOKS_LOST,
	METRIC_WEBHOOK_ENDPOINTS, /* gauges, of the hooks process that delivers */
	METRIC_WEBHOOK_RETRIES,
	METRIC_WEBHOOK_LAG_MS,
	METRIC_RELOADS_FAILED,
	METRIC_CHILD_RESTARTS,
	METRIC_LOG_DROPPED, /* gauge */
	METRIC_COUNT,
};

/* Cumulative histograms in ms. */
enum metric_histogram {
	METRIC_ACCEPT_MS,
	METRIC_DELIVERY_MS,
	METRIC_WEBHOOK_MS,
	METRIC_HISTOGRAMS
};

#define METRIC_SLOTS 128

/* Makes the mapping; call it before any fork. 0 or -1. */
int metrics_init(void);
/* This process counts in slot (0 <= slot < METRIC_SLOTS). Counters survive a restart of the process
 * in that slot; gauges are zeroed. */
void metrics_use_slot(unsigned slot);
/* Zeroes the gauges of a process that has ended. */
void metrics_clear_gauges(unsigned slot);
void metric_add(enum metric m, int64_t n);
void metric_set(enum metric m, int64_t value);
int64_t metric_sum(enum metric m);
/* For METRIC_BEHIND_NORMAL and METRIC_BEHIND_BULK. This process holds m for this many ms from now
 * on; 0: it does not hold m any more. So a process that hangs holds nothing for long. */
void metric_hold(enum metric m, int64_t ms);
/* The number of processes that hold m now. */
int64_t metric_holders(enum metric m);
/* The lowest value of m among the processes whose metric `has` is not 0; INT64_MAX: no such
 * process. */
int64_t metric_least(enum metric m, enum metric has);
void metric_observe(enum metric_histogram h, int64_t ms);
/* Appends the Prometheus text exposition (version 0.0.4). */
void metrics_render(struct buf *out);

#endif

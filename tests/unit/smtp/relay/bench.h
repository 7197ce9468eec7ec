#ifndef TESTS_UNIT_SMTP_RELAY_BENCH_H
#define TESTS_UNIT_SMTP_RELAY_BENCH_H

#include <stdio.h>
#include <string.h>

#include "server/config/config.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"
#include "tests/unit/unit.h"

/* A delivery without a connection, for tests of what is computed from one. */

#define RECIPIENTS 4

struct bench {
	struct config config;
	struct relay_context context;
	struct delivery_set set;
	struct job job;
	struct record_recipient recipients[RECIPIENTS];
	unsigned numbers[RECIPIENTS];
	struct connection_result results[RECIPIENTS];
	struct delivery delivery;
};

/* A delivery to recipients 0 and 2 of a message. */
static inline void bench_init(struct bench *b)
{
	*b = (struct bench){
		.config = {.retry_first_otp_s = 60, .retry_first_s = 300, .retry_max_s = 14400}};
	snprintf(b->delivery.sender, sizeof(b->delivery.sender), "orders@shop.example");
	b->context.config = &b->config;
	b->set.context = &b->context;
	b->job.record.lane = LANE_NORMAL;
	b->job.record.recipients = b->recipients;
	b->job.record.sender = "orders@shop.example";
	b->job.record.n_recipients = RECIPIENTS;
	b->numbers[0] = 0;
	b->numbers[1] = 2;
	b->delivery.set = &b->set;
	b->delivery.job = &b->job;
	b->delivery.numbers = b->numbers;
	b->delivery.n_recipients = 2;
	b->delivery.results = b->results;
}

#endif

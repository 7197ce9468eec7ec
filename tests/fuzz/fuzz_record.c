/* Records of messages from any bytes: read or refused, and nothing that was read points outside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/messages/record.h"

static void require(int claim)
{
	if (!claim)
		abort();
}

static void check_text(const struct record *r, size_t len, const char *text)
{
	require(!*text || (text >= r->copy && text + strlen(text) <= r->copy + len));
	require(!strchr(text, '\n'));
}

static void check(const struct record *r, size_t len)
{
	check_text(r, len, r->project);
	check_text(r, len, r->sender);
	check_text(r, len, r->facts);
	for (size_t j = 0; j < r->n_jobs; j++)
		check_text(r, len, r->jobs[j].destination);
	for (size_t i = 0; i < r->n_recipients; i++) {
		const struct record_recipient *o = &r->recipients[i];

		require(o->job < r->n_jobs);
		require(recipient_state_name(o->state) != NULL);
		check_text(r, len, o->email);
		check_text(r, len, o->text);
	}
	for (size_t i = 0; i < r->n_attempts; i++) {
		const struct record_attempt *a = &r->attempts[i];

		require(a->job < r->n_jobs && a->first_event + a->n_events <= r->n_events);
		check_text(r, len, a->line);
	}
	require(strlen(record_status(r)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record r;
	struct err e;

	if (record_parse((const char *)data, size, &r, &e) < 0) {
		require(e.kind == ERR_INTERNAL);
		return 0;
	}
	check(&r, size);
	record_deinit(&r);
	return 0;
}

/* Places in the event log of a project: the ids of its entries. */
#include "server/store/messages/event_log_place.h"

#include <inttypes.h>
#include <stdio.h>

int event_log_place_compare(const struct event_log_place *a, const struct event_log_place *b)
{
	if (a->ms != b->ms)
		return a->ms < b->ms ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

int event_log_place_read(const char *text, struct event_log_place *at)
{
	struct event_log_place read;

	if (sscanf(text, "%" SCNd64 "-%" SCNd64, &read.ms, &read.seq) != 2)
		return -1;
	*at = read;
	return 0;
}

void event_log_place_write(const struct event_log_place *at, char out[EVENT_LOG_PLACE_TEXT])
{
	snprintf(out, EVENT_LOG_PLACE_TEXT, "%" PRId64 "-%" PRId64, at->ms, at->seq);
}

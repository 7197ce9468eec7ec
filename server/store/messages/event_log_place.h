#ifndef SERVER_STORE_MESSAGES_EVENT_LOG_PLACE_H
#define SERVER_STORE_MESSAGES_EVENT_LOG_PLACE_H

#include <stdint.h>

/* The id of an entry, "<ms>-<seq>" in Redis. Ordered by ms, then seq. */
struct event_log_place {
	int64_t ms, seq;
};
/* Below 0, 0, above 0, as strcmp. */
int event_log_place_compare(const struct event_log_place *a, const struct event_log_place *b);
#define EVENT_LOG_PLACE_TEXT 48
void event_log_place_write(const struct event_log_place *at, char out[EVENT_LOG_PLACE_TEXT]);
/* -1: text is no place; *at is unchanged. */
int event_log_place_read(const char *text, struct event_log_place *at);

#endif

#ifndef SERVER_BASE_LOG_H
#define SERVER_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line per event on stderr, as JSON or as text. An event has a name ("message.accepted") and
 * fields. Values are escaped and cut at 512 bytes, lines at 4,096. Never log a secret or a message
 * body. Logging never blocks: when stderr would block, the line is dropped and counted.
 *
 *	LOG(LOG_INFO, "message.accepted", LOG_S("message", id), LOG_N("recipients", n));
 */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
	const char *name; /* NULL ends the list */
	const char *text; /* NULL: the value is number */
	size_t len;
	int64_t number;
};

/* Fields: LOG_S a C string (NULL is ""), LOG_B bytes with a length, LOG_N a number. */
#define LOG_S(name, text_)                                                                         \
	{                                                                                          \
		(name), (text_) ? (text_) : "", (size_t)-1, 0                                      \
	}
#define LOG_B(name, bytes, len)                                                                    \
	{                                                                                          \
		(name), (bytes), (len), 0                                                          \
	}
#define LOG_N(name, number_)                                                                       \
	{                                                                                          \
		(name), NULL, 0, (int64_t)(number_)                                                \
	}

#define LOG(level, fact, ...)                                                                      \
	do {                                                                                       \
		if (log_is_on(level))                                                              \
			log_write((level), (fact),                                                 \
				  (const struct log_field[]){__VA_ARGS__, {NULL, NULL, 0, 0}});    \
	} while (0)

/* As LOG, but if several processes of this Postern log the same line within 10 s, only the first
 * line is written. Use it for conditions that all processes see, such as the state of Redis. */
#define LOG_ONCE(level, fact, ...)                                                                 \
	do {                                                                                       \
		if (log_is_on(level))                                                              \
			log_write_once(                                                            \
				(level), (fact),                                                   \
				(const struct log_field[]){__VA_ARGS__, {NULL, NULL, 0, 0}});      \
	} while (0)

/* Sets the lowest level that is written and the format. role ("api", "relay", ...) is part of every
 * line; it is borrowed for the life of the process. */
void log_init(enum log_level least, enum log_format format, const char *role);
bool log_is_on(enum log_level level);
/* Shares the memory of LOG_ONCE between processes. Call it before the forks. -1: out of memory;
 * each process then writes its own line. */
int log_share(void);
void log_write_once(enum log_level level, const char *fact, const struct log_field *fields);
void log_write(enum log_level level, const char *fact, const struct log_field *fields);
/* The number of lines that this process has dropped. */
uint64_t log_dropped(void);

#endif

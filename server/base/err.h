#ifndef SERVER_BASE_ERR_H
#define SERVER_BASE_ERR_H

#include <stdbool.h>

/* An error: its kind says what the caller does next. Functions return 0, or -1 and fill a struct
 * err; they leave out-parameters untouched then. */

enum err_kind {
	ERR_NONE,
	ERR_INPUT,     /* the input is wrong: report it to the sender */
	ERR_NOT_FOUND, /* it does not exist, or belongs to someone else */
	ERR_REFUSED,   /* valid, but not allowed */
	ERR_RETRY,     /* temporary: try again later */
	ERR_INTERNAL,  /* our own error, or out of memory */
};

struct err {
	enum err_kind kind;
	char text[256]; /* for a person; never contains a secret */
};

/* Fills e (may be NULL) and returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ERR_INTERNAL, "out of memory". */
int err_oom(struct err *e);
bool err_is_oom(const struct err *e);

/* Puts "context: " before the text. Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

#ifndef SERVER_BASE_ERR_H
#define SERVER_BASE_ERR_H

/* What went wrong, in terms of what the caller does next. Functions return 0 or -1 and fill a
 * struct err on -1; out-parameters are untouched then. */

enum err_kind {
	ERR_NONE,
	ERR_INPUT,     /* the input is at fault: say so to whoever sent it */
	ERR_NOT_FOUND, /* no such thing, or not yours */
	ERR_REFUSED,   /* understood and not allowed */
	ERR_RETRY,     /* not now: try again later */
	ERR_INTERNAL,  /* our fault, or out of memory */
};

struct err {
	enum err_kind kind;
	char text[256]; /* a sentence for a person; never a secret */
};

/* Fills e (may be NULL) and returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ERR_INTERNAL, "out of memory". */
int err_oom(struct err *e);

/* Puts "context: " before the text. Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

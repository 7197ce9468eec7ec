#ifndef SERVER_SUPERVISOR_AOF_TAIL_H
#define SERVER_SUPERVISOR_AOF_TAIL_H

#include <stddef.h>

/* The end of an append-only file of Redis, from the last position that redis-check-aof accepts: the
 * start of a transaction without EXEC, or of a command that is cut off. Arguments are skipped by
 * their length, because users write their bytes.
 *
 *	file       = *command
 *	command    = "*" count CRLF count("$" length CRLF length(OCTET) CRLF)
 *	annotation = "#" text CRLF, between two commands
 *
 * After a start, Redis writes SELECT before its first command; when that command belongs to a
 * transaction, SELECT stands directly after MULTI. */

enum aof_tail {
	AOF_TAIL_UNFINISHED, /* a single write that a power failure cut off: may be removed */
	AOF_TAIL_DAMAGED,    /* anything else, such as writes after the cut */
};

/* Classifies the tail of the file. Zeros at the end are ignored: file systems leave them after a
 * power failure. */
enum aof_tail aof_tail_check(const char *bytes, size_t len);

#endif

#ifndef SERVER_REDIS_REFUSAL_H
#define SERVER_REDIS_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

/* What an error reply of Redis means for the command. */

enum refusal {
	REFUSAL_FINAL,      /* the command is wrong, or not allowed */
	REFUSAL_NOT_NOW,    /* whatever the command is: try again later */
	REFUSAL_NOT_LOADED, /* the same, after the library was loaded: script.h */
	REFUSAL_REPLICA,    /* the same, after a new connection: the server is a replica */
	REFUSAL_NO_LOGIN,   /* the same, after a new connection: it lost our login */
	REFUSAL_MOVED,      /* another node of the cluster has the slot */
	REFUSAL_UNSTABLE,   /* the cluster is changing: ASK, TRYAGAIN, CLUSTERDOWN */
};
enum refusal refusal_of(const char *error);
/* The error came from inside a script: some of its commands may have run. */
bool refusal_is_from_script(const char *error);
/* Writes it as a sentence for an operator, cut at the size. */
void refusal_write(const char *error, char *out, size_t size);

#endif

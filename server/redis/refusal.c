/* Error replies of Redis. */
#include "server/redis/refusal.h"

#include <stdio.h>
#include <string.h>

#include "server/redis/link/script.h"

static const struct {
	const char *start;
	enum refusal refusal;
} kinds[] = {
	{"MOVED ", REFUSAL_MOVED},
	{"ASK ", REFUSAL_UNSTABLE},
	{"TRYAGAIN", REFUSAL_UNSTABLE},
	{"CLUSTERDOWN", REFUSAL_UNSTABLE},
	{"READONLY", REFUSAL_REPLICA},
	{"NOAUTH", REFUSAL_NO_LOGIN},
	{SCRIPT_NOT_LOADED, REFUSAL_NOT_LOADED},
	{"LOADING", REFUSAL_NOT_NOW},
	{"MASTERDOWN", REFUSAL_NOT_NOW},
	{"BUSY", REFUSAL_NOT_NOW},
	{"NOREPLICAS", REFUSAL_NOT_NOW},
	{"MISCONF", REFUSAL_NOT_NOW},
	{"OOM", REFUSAL_NOT_NOW},
	{"UNBLOCKED", REFUSAL_NOT_NOW},
	{"EXECABORT", REFUSAL_NOT_NOW},
	{"NOPERM", REFUSAL_NOT_NOW},
};

enum refusal refusal_of(const char *error)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(error, kinds[i].start, strlen(kinds[i].start)) == 0)
			return kinds[i].refusal;
	/* Within a script, Redis puts a prefix before the kind. */
	if (strstr(error, "-OOM ") || strstr(error, "-READONLY ") ||
	    strstr(error, "OOM command not"))
		return REFUSAL_NOT_NOW;
	return REFUSAL_FINAL;
}

bool refusal_is_from_script(const char *error)
{
	return strstr(error, "user_function") != NULL;
}

void refusal_write(const char *error, char *out, size_t size)
{
	enum refusal is = refusal_of(error);
	const char *what = "Redis does not take commands now: ";

	if (strncmp(error, "MISCONF", 7) == 0)
		what = "Redis cannot write to its disk, which may be full: ";
	else if (is == REFUSAL_MOVED || is == REFUSAL_UNSTABLE)
		what = "the Redis Cluster does not take the command now: ";
	snprintf(out, size, "%s%s", what, error);
}

/* Prints results, and notices when that fails. */
#include "server/cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int output_flush(struct err *e)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return err_set(e, ERR_INTERNAL, "the output could not be written: %s", strerror(errno));
}

int output_json(json_t *take_value, struct err *e)
{
	int status = take_value ? json_dumpf(take_value, stdout, JSON_COMPACT) : -1;

	json_decref(take_value);
	putchar('\n');
	if (output_flush(e) < 0)
		return -1;
	return status < 0 ? err_oom(e) : 0;
}

json_t *output_time(int64_t ms)
{
	char text[CLOCK_RFC3339_LEN];

	if (!ms)
		return json_null();
	clock_rfc3339(ms, text);
	return json_string(text);
}

const char *output_time_text(int64_t ms, char text[CLOCK_RFC3339_LEN])
{
	if (ms)
		clock_rfc3339(ms, text);
	else
		snprintf(text, CLOCK_RFC3339_LEN, "-");
	return text;
}

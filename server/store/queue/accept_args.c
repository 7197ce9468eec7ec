/* Writes a message down for the accept transition. */
#include "server/store/queue/accept_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/messages/recipient_mark.h"

#define JOBS_MAX 4096
#define ARGS_USUAL 1500 /* bytes beside the content */

struct destination {
	const char *domain;
	size_t open;
};

/* The number of domain in list, added when new; a message has few of them. */
static size_t destination_of(struct destination *list, size_t *n, const char *domain)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i].domain, domain) == 0)
			return i;
	list[*n] = (struct destination){.domain = domain};
	return (*n)++;
}

static int put_jobs(struct command *args, const struct accept_request *m)
{
	struct destination *list = calloc(m->n_emails, sizeof(*list));
	struct buf jobs = {0}, rcpts = {0};
	size_t n = 0;
	int rc = -1;

	if (!list)
		return -1;
	for (size_t i = 0; i < m->n_emails; i++) {
		const char *at = strrchr(m->emails[i], '@');
		size_t job = destination_of(list, &n, at ? at + 1 : m->emails[i]);

		list[job].open++;
		buf_fmt(&rcpts, "%s %zu 0 0 0 0 %s\n", m->not_before_ms ? "scheduled" : "queued",
			job, m->emails[i]);
	}
	for (size_t j = 0; j < n; j++)
		buf_fmt(&jobs, "%zu 0 0 0 %s%s\n", list[j].open, m->is_test ? "sink/" : "",
			list[j].domain);
	command_arg(args, jobs.data, jobs.len);
	command_arg(args, rcpts.data, rcpts.len);
	rc = jobs.failed || rcpts.failed || n == 0 || n > JOBS_MAX ? -1 : 0;
	free(list);
	buf_deinit(&jobs);
	buf_deinit(&rcpts);
	return rc;
}

static void put_marks(struct command *args, const struct accept_request *m)
{
	char mark[RECIPIENT_MARK_LEN + 1];
	struct buf marks = {0};

	for (size_t i = 0; i < m->n_emails; i++) {
		recipient_mark(m->emails[i], mark);
		buf_append(&marks, mark, RECIPIENT_MARK_LEN);
	}
	if (marks.failed)
		args->bytes.failed = true;
	command_arg(args, marks.data, marks.len);
	buf_deinit(&marks);
}

int accept_args_write(struct command *args, const struct accept_request *m,
		      const struct buf *packed, size_t chunks)
{
	char spec[512];
	int len;

	len = snprintf(spec, sizeof(spec), "%s %s %s %s %lld %lld %zu %zu %s", lane_name(m->lane),
		       m->is_test ? "test" : "live", m->fail_on_unknown ? "fail" : "retry",
		       m->project, (long long)m->within_ms, (long long)m->not_before_ms,
		       packed->len, chunks, m->sender);
	if (len < 0 || (size_t)len >= sizeof(spec))
		return -1;
	command_args(args);
	command_reserve(args, ARGS_USUAL + packed->len);
	command_str(args, m->id.text);
	command_arg(args, spec, (size_t)len);
	command_str(args, m->idempotency ? m->idempotency : "");
	command_str(args, m->fingerprint ? m->fingerprint : "-");
	if (put_jobs(args, m) < 0)
		return -1;
	command_str(args, m->facts);
	command_str(args, m->tags ? m->tags : "");
	put_marks(args, m);
	command_arg(args, chunks ? "" : packed->data, chunks ? 0 : packed->len);
	return args->bytes.failed ? -1 : 0;
}

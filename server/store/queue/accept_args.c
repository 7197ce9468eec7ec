/* The arguments of the accept script for one message. */
#include "server/store/queue/accept_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "server/store/messages/list_mark.h"

#define JOBS_MAX 4096
#define ARGS_USUAL 1500 /* bytes beside the content */

struct destination {
	const char *domain;
	size_t open;
};

/* The number of the domain in the list; adds it when it is new. */
static size_t destination_of(struct destination *list, size_t *n, const char *domain)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i].domain, domain) == 0)
			return i;
	list[*n] = (struct destination){.domain = domain};
	return (*n)++;
}

/* Writes the lines of jobs and of recipients. -1: too many destinations, or out of memory. */
static int put_jobs(const struct accept_request *m, struct buf *jobs, struct buf *recipients)
{
	struct destination *list = calloc(m->n_emails, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -1;
	for (size_t i = 0; i < m->n_emails; i++) {
		const char *at = strrchr(m->emails[i], '@');
		size_t job = destination_of(list, &n, at ? at + 1 : m->emails[i]);

		list[job].open++;
		buf_fmt(recipients, "%s %zu 0 0 0 0 %s\n",
			m->not_before_ms ? "scheduled" : "queued", job, m->emails[i]);
	}
	for (size_t j = 0; j < n; j++)
		buf_fmt(jobs, "%zu 0 0 0 %s%s\n", list[j].open, m->is_test ? "sink/" : "",
			list[j].domain);
	free(list);
	return jobs->failed || recipients->failed || n == 0 || n > JOBS_MAX ? -1 : 0;
}

static int put_marks(const struct accept_request *m, struct buf *marks)
{
	char mark[LIST_MARK_LEN + 1];

	for (size_t i = 0; i < m->n_emails; i++) {
		if (list_mark_recipient(m->emails[i], mark) < 0)
			return -1;
		buf_append(marks, mark, LIST_MARK_LEN);
	}
	return marks->failed ? -1 : 0;
}

static int put_tag_marks(const struct accept_request *m, struct buf *marks)
{
	char mark[LIST_MARK_LEN + 1];

	for (const char *tag = m->tags ? m->tags : ""; *tag;) {
		size_t len = strcspn(tag, "\n");

		if (list_mark(tag, len, mark) < 0)
			return -1;
		buf_append(marks, mark, LIST_MARK_LEN);
		tag += len + (tag[len] == '\n');
	}
	return marks->failed ? -1 : 0;
}

static int put_head(const struct accept_request *m, size_t bytes, size_t chunks, char head[512])
{
	char choices[CHOICES_WORD_MAX];
	int len;

	choices_write(&m->choices, choices);
	len = snprintf(head, 512, "%s %s %s %s %lld %lld %zu %zu %s", lane_name(m->lane),
		       m->is_test ? "test" : "live", choices, m->project, (long long)m->within_ms,
		       (long long)m->not_before_ms, bytes, chunks, m->sender);

	return len < 0 || len >= 512 ? -1 : 0;
}

/* The part of a limit in each partition, rounded up. 0 stays 0: no limit. */
static int64_t part_of(int64_t limit, unsigned share)
{
	return (limit + share - 1) / share;
}

int accept_args_write(struct command *args, const struct accept_request *m,
		      const struct buf *packed, size_t chunks, unsigned share)
{
	struct buf jobs = {0}, recipients = {0}, marks = {0}, tag_marks = {0};
	char head[512];
	int rc = -1;

	command_args(args);
	command_reserve(args, ARGS_USUAL + packed->len);
	if (put_head(m, packed->len, chunks, head) < 0 || put_jobs(m, &jobs, &recipients) < 0 ||
	    put_marks(m, &marks) < 0 || put_tag_marks(m, &tag_marks) < 0)
		goto out;
	script_accept_item(args, &(struct script_accept_item){
					 .id = m->id.text,
					 .head = head,
					 .idempotency = m->idempotency,
					 .fingerprint = m->fingerprint ? m->fingerprint : "-",
					 .jobs = buf_text(&jobs),
					 .recipients = buf_text(&recipients),
					 .facts = m->facts,
					 .marks = buf_text(&marks),
					 .tag_marks = buf_text(&tag_marks),
					 .max_messages = part_of(m->max_messages, share),
					 .max_bytes = part_of(m->max_bytes, share),
					 .content = packed->data,
					 .content_len = chunks ? 0 : packed->len,
				 });
	rc = args->bytes.failed ? -1 : 0;
out:
	buf_deinit(&jobs);
	buf_deinit(&recipients);
	buf_deinit(&marks);
	buf_deinit(&tag_marks);
	return rc;
}

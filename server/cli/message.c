/* postern message show, and postern store dump: one message, for operators. */
#include <stdio.h>
#include <string.h>

#include "server/base/id.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/cli/output.h"
#include "server/store/messages/attempt.h"
#include "server/store/messages/dump.h"
#include "server/store/messages/messages.h"

/* The content is deleted when the last job ends. */
static bool is_finished(const struct record *r)
{
	for (size_t j = 0; j < r->n_jobs; j++)
		if (!r->jobs[j].is_done)
			return false;
	return true;
}

static void print_head(const char *id, const struct record *r)
{
	char accepted[CLOCK_RFC3339_LEN], deadline[CLOCK_RFC3339_LEN];
	size_t len = strspn(r->project, "0123456789");

	printf("%s  %s\n", id, record_status(r));
	printf("  project number %.*s, %s, lane %s\n", (int)len, r->project,
	       r->is_test ? "test" : "live", lane_name(r->lane));
	printf("  accepted %s, deadline %s\n", output_time_text(r->accepted_ms, accepted),
	       output_time_text(r->deadline_ms, deadline));
	printf("  return path %s\n", r->sender);
	printf("  request %s\n", r->facts);
	if (!is_finished(r))
		printf("  content %zu bytes in Redis, until the message is finished\n",
		       r->packed_bytes);
}

static void print_reply(int code, const char *text)
{
	if (code)
		printf("  %d", code);
	if (*text && strcmp(text, "-") != 0)
		printf("  %s", text);
	putchar('\n');
}

static void print_recipients(const struct record *r)
{
	char at[CLOCK_RFC3339_LEN];

	puts("recipients");
	for (size_t i = 0; i < r->n_recipients; i++) {
		const struct record_recipient *to = &r->recipients[i];

		printf("  %s  %s  job %u, attempts %u, %s%s", to->email,
		       recipient_state_name(to->state), to->job, to->attempts,
		       output_time_text(to->at_ms, at),
		       to->possible_duplicate ? ", possible duplicate" : "");
		print_reply(to->code, to->text);
	}
}

static void print_jobs(const struct record *r)
{
	char next[CLOCK_RFC3339_LEN];

	puts("jobs");
	for (size_t j = 0; j < r->n_jobs; j++) {
		printf("  %zu  %s  %s", j, r->jobs[j].destination,
		       r->jobs[j].is_done ? "done" : "open");
		if (r->jobs[j].next_attempt_ms)
			printf(", next attempt %s",
			       output_time_text(r->jobs[j].next_attempt_ms, next));
		putchar('\n');
	}
}

static void print_events(const struct record *r)
{
	char at[CLOCK_RFC3339_LEN];

	puts("events");
	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *ev = &r->events[i];

		printf("  %u  %s  %s  %s%s%s", ev->n, output_time_text(ev->at_ms, at), ev->type,
		       ev->recipient == SIZE_MAX ? "the message"
						 : r->recipients[ev->recipient].email,
		       ev->possible_duplicate ? ", possible duplicate" : "",
		       ev->is_suppressed ? ", suppressed from now on" : "");
		print_reply(ev->code, ev->text);
	}
}

static void print_steps(const struct attempt *a)
{
	for (int step = ATTEMPT_NONE + 1; step < ATTEMPT_STEPS; step++)
		if (a->steps_ms[step] >= 0)
			printf(" %s %d", attempt_step_name((enum attempt_step)step),
			       (int)a->steps_ms[step]);
}

static void print_attempt(const struct record_attempt *attempt)
{
	char scratch[ATTEMPT_MAX], at[CLOCK_RFC3339_LEN];
	struct attempt a;

	printf("  job %u", attempt->job);
	if (attempt_parse(attempt->line, scratch, &a) < 0) {
		puts("  the relay died during it");
		return;
	}
	printf("  %s  %lld ms", output_time_text(a.started_ms, at), (long long)a.took_ms);
	if (*a.host)
		printf("  %s", a.host);
	if (*a.ip)
		printf(" [%s]:%u", a.ip, a.port);
	if (*a.source)
		printf(" from %s", a.source);
	if (*a.tls_version)
		printf("  %s %s", a.tls_version, a.tls_cipher);
	if (attempt_tls_name(a.tls))
		printf("  TLS %s", attempt_tls_name(a.tls));
	printf("  steps in ms:");
	print_steps(&a);
	if (*a.reply)
		printf("  next host after: %d %s", a.code, a.reply);
	putchar('\n');
}

static void print_attempts(const struct record *r)
{
	puts("attempts");
	for (size_t i = 0; i < r->n_attempts; i++)
		print_attempt(&r->attempts[i]);
}

static void on_message(const struct record *record, const struct err *why, void *arg)
{
	struct client *c = arg;
	struct err e;

	if (record) {
		print_head(c->arg, record);
		print_recipients(record);
		print_jobs(record);
		print_events(record);
		print_attempts(record);
		if (output_flush(&e) < 0)
			why = &e;
	}
	client_end(c, why);
}

static void ask_show(struct client *c)
{
	messages_get(c->redis, NULL, c->arg, on_message, c);
}

/* ---- dump ---- */

static void on_texts(const char *const *texts, size_t n, const struct err *why, void *arg)
{
	struct err e;

	for (size_t i = 0; texts && i < n; i++)
		printf("%s%s", texts[i], i ? "\n" : "\n\n");
	if (texts && output_flush(&e) < 0)
		why = &e;
	client_end(arg, why);
}

static void ask_dump(struct client *c)
{
	dump_message(c->redis, c->arg, on_texts, c);
}

/* ---- the commands ---- */

/* Reads "ID [--config FILE]", and calls ask with the id as the client's arg. */
static int run(const struct command *command, int argc, char **argv, client_ask_fn *ask)
{
	const char *file = NULL, *given = NULL;
	const struct option_row rows[] = {{"--config", &file, NULL}, {NULL, NULL, NULL}};
	char id[ID_LEN + 1];
	struct err e;
	int n = options_read(argc, argv, rows, &given, 1, &e);

	if (n == 0 || (n == 1 && !id_valid("msg", given))) {
		err_set(&e, ERR_INPUT, "the id of a message is expected, like msg_0298255bb4...");
		n = -1;
	}
	if (n < 0)
		return cli_report_usage(command, &e);
	snprintf(id, sizeof(id), "%s", given);
	return client_run(file, client_reach, ask, id, &e) < 0 ? cli_report_error(command, &e)
							       : CLI_DONE;
}

static int show(int argc, char **argv)
{
	return run(&command_message_show, argc, argv, ask_show);
}

static int dump(int argc, char **argv)
{
	return run(&command_store_dump, argc, argv, ask_dump);
}

const struct command command_message_show = {
	.name = "message show",
	.summary = "show what the store knows about a message",
	.help = "Usage: postern message show ID [--config FILE]\n\n"
		"  ID              msg_..., of any project\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Prints the request without the content, the states of the recipients, the jobs,\n"
		"the events, and the attempts with the time of each step.\n\n"
		"Example:\n  postern message show msg_06evzfk4p8a2j0v6n1y3t5w700\n",
	.run = show,
};

const struct command command_store_dump = {
	.name = "store dump",
	.summary = "show what Redis has of a message",
	.help = "Usage: postern store dump ID [--config FILE]\n\n"
		"  ID              msg_..., of any project\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Prints the record of the message as it is stored, and its keys with type, size\n"
		"and expiry, but not the content. `postern message show` prints it for readers.\n\n"
		"Example:\n  postern store dump msg_06evzfk4p8a2j0v6n1y3t5w700\n",
	.run = dump,
};

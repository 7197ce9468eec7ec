/* postern partitions: shows and raises the number of partitions of the store. */
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/number.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"
#include "server/cli/options.h"
#include "server/cli/output.h"
#include "server/redis/partitions.h"
#include "server/redis/redis.h"
#include "server/store/projects/growth.h"

#define GROWTH_LIMIT_MS ((int64_t)24 * 3600 * 1000) /* its calls have limits of their own */

struct partitions_request {
	int64_t wanted;
	bool is_json;
};

/* ---- show ---- */

/* The step that begins in future; NULL: none. */
static const struct partitions_step *next_step(const struct partitions *all, int64_t now_ms)
{
	const struct partitions_step *last = &all->steps[all->n_steps - 1];

	return last->from_ms > now_ms ? last : NULL;
}

static int print_json(const struct partitions *all, int64_t now_ms, struct err *e)
{
	const struct partitions_step *next = next_step(all, now_ms);

	return output_json(
		json_pack("{s:i, s:i, s:o}", "partitions", (int)all->n, "for_new_messages",
			  (int)partitions_step_at(all, now_ms)->n, "next",
			  next ? json_pack("{s:i, s:o}", "for_new_messages", (int)next->n, "from",
					   output_time(next->from_ms))
			       : json_null()),
		e);
}

static int print_text(const struct partitions *all, int64_t now_ms, struct err *e)
{
	const struct partitions_step *next = next_step(all, now_ms);
	unsigned used = partitions_step_at(all, now_ms)->n;
	char from[CLOCK_RFC3339_LEN];

	printf("partitions: %u\n", all->n);
	if (used < all->n)
		printf("used by new messages: %u\n", used);
	if (next) {
		clock_rfc3339(next->from_ms, from);
		printf("used by new messages from %s on: %u\n", from, next->n);
	} else if (used < all->n) {
		printf("A growth was not completed: run `postern partitions set %u`.\n", all->n);
	}
	return output_flush(e);
}

static void ask_show(struct client *c)
{
	const struct partitions_request *r = c->arg;
	const struct partitions *all = redis_growth(c->redis);
	int64_t now = redis_time_ms(c->redis);
	struct err e;
	int rc = r->is_json ? print_json(all, now, &e) : print_text(all, now, &e);

	client_end(c, rc < 0 ? &e : NULL);
}

static int show(int argc, char **argv)
{
	struct partitions_request r = {0};
	const char *file = NULL;
	const struct option_row rows[] = {
		{"--config", &file, NULL}, {"--json", NULL, &r.is_json}, {NULL, NULL, NULL}};
	struct err e;

	if (options_read(argc, argv, rows, NULL, 0, &e) < 0)
		return cli_report_usage(&command_partitions, &e);
	return client_run(file, client_reach, ask_show, &r, &e) < 0
		       ? cli_report_error(&command_partitions, &e)
		       : CLI_DONE;
}

/* ---- set ---- */

static void print_growth(const struct client *c, const struct growth_result *result)
{
	const struct partitions_request *r = c->arg;
	unsigned n = redis_partitions(c->redis);
	char from[CLOCK_RFC3339_LEN];

	if (!result->from_ms) {
		printf("The store already has %u partition%s.\n", n, n == 1 ? "" : "s");
		return;
	}
	clock_rfc3339(result->from_ms, from);
	if (result->suppressions)
		printf("Copied %zu suppressions to each new partition.\n", result->suppressions);
	printf("New messages use %lld partitions from %s on.\n", (long long)r->wanted, from);
}

static void on_grown(const struct growth_result *result, const struct err *why, void *arg)
{
	struct client *c = arg;
	struct err e;

	if (result)
		print_growth(c, result);
	if (result && output_flush(&e) < 0)
		why = &e;
	client_end(c, why);
}

static void ask_set(struct client *c)
{
	const struct partitions_request *r = c->arg;

	c->limit_ms = GROWTH_LIMIT_MS;
	growth_run(c->redis, (unsigned)r->wanted, on_grown, c);
}

static int read_number(const char *text, int64_t *n, struct err *e)
{
	if (number_parse(text, strlen(text), 1, ID_PARTITIONS, n) == 0)
		return 0;
	return err_set(e, ERR_INPUT,
		       "\"%.100s\" is refused: a whole number from 1 to %d is expected", text,
		       ID_PARTITIONS);
}

static int set(int argc, char **argv)
{
	struct partitions_request r = {0};
	const char *file = NULL, *number = NULL;
	const struct option_row rows[] = {{"--config", &file, NULL}, {NULL, NULL, NULL}};
	struct err e;
	int n = options_read(argc, argv, rows, &number, 1, &e);

	if (n == 0)
		err_set(&e, ERR_INPUT, "a number of partitions is expected");
	if (n != 1 || read_number(number, &r.wanted, &e) < 0)
		return cli_report_usage(&command_partitions_set, &e);
	return client_run(file, client_open, ask_set, &r, &e) < 0
		       ? cli_report_error(&command_partitions_set, &e)
		       : CLI_DONE;
}

const struct command command_partitions = {
	.name = "partitions",
	.summary = "show the number of partitions of the store",
	.help = "Usage: postern partitions [--json] [--config FILE]\n\n"
		"  --json          as JSON\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"`postern partitions set NUMBER` raises the number.\n\n"
		"Example:\n  postern partitions\n",
	.run = show,
};

const struct command command_partitions_set = {
	.name = "partitions set",
	.summary = "raise the number of partitions, while Postern runs",
	.help = "Usage: postern partitions set NUMBER [--config FILE]\n\n"
		"  NUMBER          1 to 1024; not fewer than now\n"
		"  --config FILE   instead of ./postern.yaml\n\n"
		"Takes some 10 seconds, and longer with many suppressions. New messages use the\n"
		"new partitions 15 seconds later. If it is interrupted, run it again. The number\n"
		"cannot be reduced.\n\n"
		"Example:\n  postern partitions set 8\n",
	.run = set,
};

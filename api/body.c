/* Reads the JSON body of a request by a table of rules. */
#include "api/body.h"

#include <string.h>

#include "api/http/response.h"
#include "api/json/json.h"
#include "server/base/json_text.h"

int body_parse(struct request *r, json_t **body)
{
	const char *text;
	struct err e;
	size_t len;

	text = request_body(r, &len);
	if (json_parse_body(text, len, body, &e) == 0)
		return 0;
	if (e.kind == ERR_INPUT)
		response_problem(r, PROBLEM_INVALID_JSON, NULL, "%s", e.text);
	else if (e.kind == ERR_REFUSED)
		response_problem(r, PROBLEM_TOO_LARGE, NULL, "%s", e.text);
	else
		response_err(r, &e);
	return -1;
}

void body_respond_errors(struct request *r, json_t *take_errors)
{
	size_t n = json_array_size(take_errors);

	response_problem(r, PROBLEM_VALIDATION, take_errors, "The request body has %zu error%s.", n,
			 n == 1 ? "" : "s");
}

void body_respond_error(struct request *r, const char *pointer, const char *detail)
{
	json_t *errors = json_pack("[{s:s, s:s, s:o}]", "pointer", pointer, "code", "invalid",
				   "detail", json_text(detail, strlen(detail)));

	if (errors)
		body_respond_errors(r, errors);
	else
		response_problem(r, PROBLEM_INTERNAL, NULL, NULL);
}

int body_read(struct request *r, const struct rule *table, size_t n, void *target, json_t **body)
{
	struct rules_run run = {0};
	int rc = -1;

	if (body_parse(r, body) < 0)
		return -1;
	rules_body(&run, table, n, *body, target);
	if (run.is_out_of_memory)
		response_problem(r, PROBLEM_INTERNAL, NULL, NULL);
	else if (rules_has_errors(&run))
		body_respond_errors(r, rules_take_errors(&run));
	else
		rc = 0;
	rules_deinit(&run);
	if (rc < 0) {
		json_decref(*body);
		*body = NULL;
	}
	return rc;
}

/* /v1/projects: projects over the API. */
#include "api/projects.h"

#include <string.h>

#include "api/body.h"
#include "api/http/response.h"
#include "api/json/check.h"
#include "api/messages/render.h"
#include "api/once.h"
#include "api/page.h"
#include "server/base/json_text.h"
#include "server/store/projects/projects.h"

#define NAME_MAX_CHARS 100

static json_t *project_json(const struct project *p)
{
	return json_pack("{s:s, s:o, s:o}", "id", p->id, "name",
			 json_text(p->name, strlen(p->name)), "created_at",
			 render_time_or_null(p->created_ms));
}

struct body {
	const char *name;
};

static json_t *row_json(const void *row)
{
	return project_json(row);
}

static void on_projects(const struct project *list, size_t n, const struct err *why, void *arg)
{
	page_respond_rows(arg, &(struct page_rows){(const char *)list, sizeof(*list), n}, why,
			  row_json);
}

void projects_list_get(struct request *r)
{
	static const char *const names[] = {NULL};

	if (page_begin_ids(r, "prj", names))
		projects_list(request_api(r)->redis, on_projects, r);
}

static void on_project(const struct project *list, size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;

	(void)n;
	if (why && why->kind == ERR_INPUT)
		response_problem(r, PROBLEM_CONFLICT, NULL, "%s", why->text);
	else if (why)
		response_err(r, why);
	else
		response_json(r, 201, project_json(list));
}

static const struct rule project_rules[] = {
	{.field = "name",
	 .types = RULE_STRING,
	 .is_required = true,
	 .min = 1,
	 .max = NAME_MAX_CHARS,
	 .at = offsetof(struct body, name),
	 .take = check_take_line},
};

static void make_project(struct request *r, const struct once_seed *seed)
{
	struct id id = once_id(seed, "prj");
	struct body b = {0};
	json_t *json = NULL;

	if (body_read(r, project_rules, 1, &b, &json) < 0)
		return;
	projects_create(request_api(r)->redis, id.text, b.name, on_project, r);
	json_decref(json);
}

void projects_post(struct request *r)
{
	once_run(r, false, make_project);
}

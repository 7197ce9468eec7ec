/* Pages of the problem types. */
#include "api/problems.h"

#include "api/http/response.h"
#include "api/wire/problem.h"
#include "server/base/buf.h"

void problems_show(struct request *r)
{
	enum problem problem;
	struct buf page = {0};

	if (problem_find(request_param(r, 0), &problem) < 0) {
		response_problem(r, PROBLEM_NOT_FOUND, NULL, "No problem type has this name.");
		return;
	}
	buf_fmt(&page,
		"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>%s</title>\n"
		"<h1>%s</h1>\n<p>Problem type <code>/problems/%s</code>, status "
		"%u.</p>\n<p>%s</p>\n",
		problem_title(problem), problem_title(problem), problem_slug(problem),
		problem_status(problem), problem_meaning(problem));
	response_text(r, 200, "text/html; charset=utf-8", buf_text(&page), page.len);
	buf_deinit(&page);
}

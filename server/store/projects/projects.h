#ifndef SERVER_STORE_PROJECTS_PROJECTS_H
#define SERVER_STORE_PROJECTS_PROJECTS_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/store/projects/quota.h"

struct redis;
struct resp;

/* Projects and their settings. A change of settings has effect within a second. */

struct project {
	char id[31]; /* prj_... */
	char name[101];
	int64_t created_ms; /* 0: not known */
	struct quota quota; /* its settings; 0: the default */
	int64_t weight;     /* turns in the queue for each turn of others; 0: the default, 1 */
};

/* Reads the JSON of a project. RESP_ROW_SKIPPED: it is damaged, or the project is deleted.
 * RESP_ROW_OOM. For this folder. */
int project_read(const struct resp *text, struct project *project);

/* Borrowed for the callback. list NULL: ERR_NOT_FOUND, ERR_INPUT (a project with this name exists),
 * ERR_RETRY, ERR_INTERNAL. */
typedef void projects_fn(const struct project *list, size_t n, const struct err *why, void *arg);
/* Makes a project; fn gets a list of one. id NULL: a new one; a project that has this id already is
 * returned as it is. "default" exists from the first start on. */
void projects_create(struct redis *redis, const char *id, const char *name, projects_fn *fn,
		     void *arg);
/* Changes settings: names as in struct quota, or "weight"; value 0 = the default. fn gets a list of
 * one. ERR_NOT_FOUND: no such project. project: name or id. The weight has a copy in each
 * partition: if only some have it, the error says how many, and calling again with it completes the
 * change. */
struct project_setting {
	const char *name;
	int64_t value;
};
void projects_set(struct redis *redis, const char *project, const struct project_setting *settings,
		  size_t n, projects_fn *fn, void *arg);
/* All of them, newest first. */
void projects_list(struct redis *redis, projects_fn *fn, void *arg);

/* why NULL: done. */
typedef void project_done_fn(const struct err *why, void *arg);
/* project: name or id. ERR_NOT_FOUND; ERR_REFUSED: it still has keys or webhooks, or it is
 * "default". Its messages stay until retention removes them. */
void projects_delete(struct redis *redis, const char *project, project_done_fn *fn, void *arg);

#endif

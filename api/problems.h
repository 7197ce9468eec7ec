#ifndef API_PROBLEMS_H
#define API_PROBLEMS_H

#include "api/http/request.h"

/* GET /problems/{problem}: what a problem type means, as a page for people. */
request_fn problems_show;

#endif

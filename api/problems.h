#ifndef API_PROBLEMS_H
#define API_PROBLEMS_H

#include "api/http/request.h"

/* GET /problems/{problem}: an HTML page that explains a problem type. */
request_fn problems_show;

#endif

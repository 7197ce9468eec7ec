#ifndef API_TEST_INBOX_H
#define API_TEST_INBOX_H

#include "api/http/request.h"

/* GET /v1/test/inbox?to=&wait=&limit= */
request_fn test_inbox_show;

#endif

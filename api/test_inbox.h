#ifndef API_TEST_INBOX_H
#define API_TEST_INBOX_H

#include "api/http/request.h"

/* GET /v1/test/inbox?to=&since=&wait=&limit= */
request_fn test_inbox_show;
/* DELETE /v1/test/inbox?to= */
request_fn test_inbox_delete;

#endif

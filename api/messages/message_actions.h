#ifndef API_MESSAGES_MESSAGE_ACTIONS_H
#define API_MESSAGES_MESSAGE_ACTIONS_H

#include "api/http/request.h"

/* POST /v1/messages/{id}/cancel, /retry: 409 when no recipient can be canceled or retried. */
request_fn message_actions_cancel;
request_fn message_actions_retry;

#endif

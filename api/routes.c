/* The table of routes: every path of the API, and the scope that it needs. */
#include "api/routes.h"

#include "api/messages/attempts.h"
#include "api/messages/events.h"
#include "api/keys.h"
#include "api/messages/message_actions.h"
#include "api/messages/message_list.h"
#include "api/messages/messages.h"
#include "api/meta.h"
#include "api/problems.h"
#include "api/projects.h"
#include "api/suppressions.h"
#include "api/test_inbox.h"
#include "api/webhook_deliveries.h"
#include "api/webhooks.h"

static const struct route rows[] = {
	{HTTP_POST, "/v1/messages", SCOPE_SEND, messages_create, NULL, BODY_LARGE},
	{HTTP_GET, "/v1/messages", SCOPE_READ, message_list_get, NULL, BODY_NONE_BULK},
	{HTTP_GET, "/v1/messages/{id}", SCOPE_READ, messages_show, "msg", BODY_NONE},
	{HTTP_GET, "/v1/messages/{id}/attempts", SCOPE_READ, attempts_show, "msg", BODY_NONE_BULK},
	{HTTP_GET, "/v1/messages/{id}/events", SCOPE_READ, events_of_message, "msg",
	 BODY_NONE_BULK},
	{HTTP_GET, "/v1/events", SCOPE_READ, events_list, NULL, BODY_NONE_BULK},
	{HTTP_POST, "/v1/messages/{id}/cancel", SCOPE_SEND, message_actions_cancel, "msg",
	 BODY_NONE},
	{HTTP_POST, "/v1/messages/{id}/retry", SCOPE_SEND, message_actions_retry, "msg", BODY_NONE},
	{HTTP_GET, "/v1/suppressions", SCOPE_READ, suppressions_list_get, NULL, BODY_NONE_BULK},
	{HTTP_POST, "/v1/suppressions", SCOPE_MANAGE, suppressions_post, NULL, BODY_SMALL},
	{HTTP_GET, "/v1/suppressions/{email}", SCOPE_READ, suppressions_show, NULL, BODY_NONE},
	{HTTP_DELETE, "/v1/suppressions/{email}", SCOPE_MANAGE, suppressions_delete, NULL,
	 BODY_NONE},
	{HTTP_GET, "/v1/keys", SCOPE_MANAGE | SCOPE_ROOT, keys_list_get, NULL, BODY_NONE},
	{HTTP_POST, "/v1/keys", SCOPE_MANAGE | SCOPE_ROOT, keys_post, NULL, BODY_SMALL},
	{HTTP_DELETE, "/v1/keys/{id}", SCOPE_MANAGE | SCOPE_ROOT, keys_delete, "key", BODY_NONE},
	{HTTP_GET, "/v1/projects", SCOPE_ROOT, projects_list_get, NULL, BODY_NONE},
	{HTTP_POST, "/v1/projects", SCOPE_ROOT, projects_post, NULL, BODY_SMALL},
	{HTTP_GET, "/v1/webhooks", SCOPE_READ, webhooks_list, NULL, BODY_NONE},
	{HTTP_POST, "/v1/webhooks", SCOPE_MANAGE, webhooks_create, NULL, BODY_SMALL},
	{HTTP_GET, "/v1/webhooks/{id}", SCOPE_READ, webhooks_show, "whk", BODY_NONE},
	{HTTP_PATCH, "/v1/webhooks/{id}", SCOPE_MANAGE, webhooks_update, "whk", BODY_SMALL},
	{HTTP_DELETE, "/v1/webhooks/{id}", SCOPE_MANAGE, webhooks_delete, "whk", BODY_NONE},
	{HTTP_POST, "/v1/webhooks/{id}/rotate", SCOPE_MANAGE, webhooks_rotate, "whk", BODY_NONE},
	{HTTP_POST, "/v1/webhooks/{id}/test", SCOPE_MANAGE, webhook_deliveries_test, "whk",
	 BODY_NONE},
	{HTTP_GET, "/v1/webhooks/{id}/deliveries", SCOPE_READ, webhook_deliveries_list, "whk",
	 BODY_NONE_BULK},
	{HTTP_POST, "/v1/webhooks/{id}/deliveries/{delivery}/redeliver", SCOPE_MANAGE,
	 webhook_deliveries_redeliver, "whk", BODY_NONE},
	{HTTP_GET, "/v1/test/inbox", SCOPE_READ, test_inbox_show, NULL, BODY_NONE},
	{HTTP_DELETE, "/v1/test/inbox", SCOPE_READ, test_inbox_delete, NULL, BODY_NONE},
	{HTTP_GET, "/problems/{problem}", 0, problems_show, NULL, BODY_NONE},
	{HTTP_GET, "/healthz", 0, meta_healthz, NULL, BODY_NONE},
	{HTTP_GET, "/readyz", 0, meta_readyz, NULL, BODY_NONE},
	{HTTP_GET, "/openapi.json", 0, meta_openapi_json, NULL, BODY_NONE},
	{HTTP_GET, "/openapi.yaml", 0, meta_openapi_yaml, NULL, BODY_NONE},
};

static const struct route metrics_rows[] = {
	{HTTP_GET, "/healthz", 0, meta_healthz, NULL, BODY_NONE},
	{HTTP_GET, "/readyz", 0, meta_readyz_with_reason, NULL, BODY_NONE},
	{HTTP_GET, "/metrics", 0, meta_metrics, NULL, BODY_NONE},
};

const struct routes api_routes = {rows, sizeof(rows) / sizeof(*rows)};
const struct routes metrics_routes = {metrics_rows, sizeof(metrics_rows) / sizeof(*metrics_rows)};

/* The table of routes: every path of the API, and the scope that it needs. */
#include "api/routes.h"

#include "api/messages/attempts.h"
#include "api/messages/events.h"
#include "api/keys.h"
#include "api/messages/messages.h"
#include "api/meta.h"
#include "api/suppressions.h"
#include "api/test_inbox.h"
#include "api/webhooks.h"

static const struct route rows[] = {
	{HTTP_POST, "/v1/messages", SCOPE_SEND, messages_create, NULL, true},
	{HTTP_GET, "/v1/messages", SCOPE_READ, messages_list, NULL, false},
	{HTTP_GET, "/v1/messages/{id}", SCOPE_READ, messages_show, "msg", false},
	{HTTP_GET, "/v1/messages/{id}/attempts", SCOPE_READ, attempts_show, "msg", false},
	{HTTP_GET, "/v1/messages/{id}/events", SCOPE_READ, events_of_message, "msg", false},
	{HTTP_GET, "/v1/events", SCOPE_READ, events_list, NULL, false},
	{HTTP_POST, "/v1/messages/{id}/cancel", SCOPE_SEND, messages_cancel_post, "msg", false},
	{HTTP_POST, "/v1/messages/{id}/retry", SCOPE_SEND, messages_retry_post, "msg", false},
	{HTTP_GET, "/v1/suppressions", SCOPE_READ, suppressions_list_get, NULL, false},
	{HTTP_POST, "/v1/suppressions", SCOPE_MANAGE, suppressions_post, NULL, true},
	{HTTP_GET, "/v1/suppressions/{email}", SCOPE_READ, suppressions_show, NULL, false},
	{HTTP_DELETE, "/v1/suppressions/{email}", SCOPE_MANAGE, suppressions_delete, NULL, false},
	{HTTP_GET, "/v1/keys", SCOPE_MANAGE | SCOPE_ROOT, keys_list_get, NULL, false},
	{HTTP_POST, "/v1/keys", SCOPE_MANAGE | SCOPE_ROOT, keys_post, NULL, true},
	{HTTP_DELETE, "/v1/keys/{id}", SCOPE_MANAGE | SCOPE_ROOT, keys_delete, "key", false},
	{HTTP_GET, "/v1/projects", SCOPE_ROOT, projects_list_get, NULL, false},
	{HTTP_POST, "/v1/projects", SCOPE_ROOT, projects_post, NULL, true},
	{HTTP_GET, "/v1/webhooks", SCOPE_READ, webhooks_list, NULL, false},
	{HTTP_POST, "/v1/webhooks", SCOPE_MANAGE, webhooks_create, NULL, true},
	{HTTP_GET, "/v1/webhooks/{id}", SCOPE_READ, webhooks_show, "whk", false},
	{HTTP_PATCH, "/v1/webhooks/{id}", SCOPE_MANAGE, webhooks_update, "whk", true},
	{HTTP_DELETE, "/v1/webhooks/{id}", SCOPE_MANAGE, webhooks_delete, "whk", false},
	{HTTP_POST, "/v1/webhooks/{id}/rotate", SCOPE_MANAGE, webhooks_rotate, "whk", false},
	{HTTP_POST, "/v1/webhooks/{id}/test", SCOPE_MANAGE, webhooks_test, "whk", false},
	{HTTP_GET, "/v1/webhooks/{id}/deliveries", SCOPE_READ, webhooks_deliveries, "whk", false},
	{HTTP_POST, "/v1/webhooks/{id}/deliveries/{event}/redeliver", SCOPE_MANAGE,
	 webhooks_redeliver, "whk", false},
	{HTTP_GET, "/v1/test/inbox", SCOPE_READ, test_inbox_show, NULL, false},
	{HTTP_GET, "/healthz", 0, meta_healthz, NULL, false},
	{HTTP_GET, "/readyz", 0, meta_readyz, NULL, false},
	{HTTP_GET, "/metrics", 0, meta_metrics, NULL, false},
	{HTTP_GET, "/openapi.json", 0, meta_openapi_json, NULL, false},
	{HTTP_GET, "/openapi.yaml", 0, meta_openapi_yaml, NULL, false},
};

const struct routes api_routes = {rows, sizeof(rows) / sizeof(*rows)};

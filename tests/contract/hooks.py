"""Rules that openapi.yaml says in words only, as generators of clients make code that does not compile from their schemas."""
import schemathesis

from support import openapi

LABEL = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?"
EMAIL = {"type": "string", "pattern": f"^[A-Za-z0-9_+-]{{1,30}}@({LABEL}\\.){{1,3}}[a-z]{{2,10}}$"}
LINE = "^[ -~]*$"
FILTERS = ["*", "message.*", "message.delivered", "message.bounced"]


def null_is_not_given(schema):
    for name, field in schema["properties"].items():
        if name not in schema.get("required", []):
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}]}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    raw_schema.update(openapi.closed(raw_schema))
    schemas = raw_schema["components"]["schemas"]
    schemas["AddressObject"]["properties"] = {"email": EMAIL, "name": {"type": "string", "maxLength": 320, "pattern": LINE}}
    schemas["Address"]["oneOf"][0] = EMAIL
    schemas["SuppressionCreate"]["properties"]["email"] = EMAIL
    raw_schema["components"]["parameters"]["Email"]["schema"] = EMAIL
    for path in ("/v1/messages", "/v1/test/inbox"):
        for operation in raw_schema["paths"][path].values():
            for parameter in operation["parameters"]:
                if parameter.get("name") == "to":
                    parameter["schema"] = EMAIL
                elif parameter.get("name") == "wait":
                    parameter["schema"] = {"type": "string", "pattern": "^[01]s$"}      # a longer wait is a longer test
    schemas["WebhookFilters"]["items"] = {"type": "string", "enum": FILTERS}
    for parameter in raw_schema["paths"]["/v1/events"]["get"]["parameters"]:
        if parameter.get("name") == "type":
            parameter["schema"] = {"type": "string", "enum": FILTERS}
    for name in ("KeyCreate", "ProjectCreate", "WebhookCreate", "WebhookUpdate"):
        for field in ("name", "project", "description"):
            if field in schemas[name]["properties"]:
                schemas[name]["properties"][field]["pattern"] = LINE
    for name in ("Send", "KeyCreate", "WebhookCreate", "WebhookUpdate"):
        null_is_not_given(schemas[name])

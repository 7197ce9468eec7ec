"""openapi.yaml against the running server: every documented path and status is requested, and every response is checked
against its schema. tests/unit/api/test_contract.c holds the tables of the code against the same document."""
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest
import yaml

from support import harness, openapi

ROOT = Path(__file__).resolve().parents[2]


class Loader(yaml.SafeLoader):
    """YAML as JSON sees it: no timestamps."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
DOCUMENT = yaml.load((ROOT / "openapi/openapi.yaml").read_text(), Loader)
STRICT = openapi.closed(DOCUMENT)
RESOLVER = jsonschema.RefResolver.from_schema(STRICT)
OPERATIONS = [(m, p) for p, item in DOCUMENT["paths"].items() for m in item]
POST_EXAMPLES = DOCUMENT["paths"]["/v1/messages"]["post"]["requestBody"]["content"]["application/json"]["examples"]
LEAST = POST_EXAMPLES["least"]["value"]
MISSING = "msg_" + "0" * 26


def resolve(thing):
    return RESOLVER.resolve(thing["$ref"])[1] if "$ref" in thing else thing


def validate(value, schema):
    jsonschema.Draft202012Validator(schema, resolver=RESOLVER).validate(value)


def response_of(method, path, status):
    responses = STRICT["paths"][path][method]["responses"]
    return resolve(responses.get(str(status), responses["default"]))


def hold(answer, method, path):
    """Checks a response against the document."""
    response = response_of(method, path, answer.status)
    assert answer.headers["X-Request-Id"]
    if "content" not in response:
        assert answer.status == 204 and answer.body == b""
        return
    media = answer.headers["Content-Type"].split(";")[0]
    assert media in response["content"], (media, answer)
    if media.endswith("json"):
        validate(answer.json(), response["content"][media]["schema"])
    if media == "application/problem+json":
        assert answer.json()["status"] == answer.status
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    for name, header in response.get("headers", {}).items():
        if answer.headers[name] is not None:
            validate(answer.headers[name], resolve(header).get("schema", {}))
        else:
            assert name in ("Idempotent-Replayed", "Link") or (name == "Retry-After" and answer.status == 409), f"{name} is missing"


# ---- probes: (method, path, status) -> how to get that response ----

def get(path, **more):
    return lambda p: p.request("GET", path, **more)


def get_with(path, key_name):
    return lambda p: p.request("GET", path, key=getattr(p, key_name))


def get_scoped(path, scopes):
    return lambda p: p.request("GET", path, key=p.create_key(f"scoped-{scopes}", scopes=scopes, test=True))


def post(body=None, headers=None, **more):
    return lambda p: p.request("POST", "/v1/messages", headers=headers, json=LEAST if body is None else body, **more)


def post_scoped(p):
    return p.request("POST", "/v1/messages", json=LEAST, key=p.create_key("reader", scopes="read", test=True))


def mismatch(p):
    assert post(headers={"Idempotency-Key": "probe-mismatch"})(p).status == 202
    answer = post({**LEAST, "text": "other"}, headers={"Idempotency-Key": "probe-mismatch"})(p)
    assert answer.json()["type"] == "/problems/idempotency-mismatch"
    return answer


def replay(p):
    first = post(headers={"Idempotency-Key": "probe-replay"})(p)
    again = post(headers={"Idempotency-Key": '"probe-replay"'})(p)
    assert first.headers["Idempotent-Replayed"] is None and again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first.body and again.headers["Location"] == first.headers["Location"]
    return again


def sent(p):
    return p.request("GET", post()(p).headers["Location"])


def received(p):
    to = "probe@inbox.example"
    assert post({**LEAST, "to": [to]})(p).status == 202
    answer = p.request("GET", f"/v1/test/inbox?to={to}&wait=20s&limit=1")
    assert len(answer.json()["data"]) == 1
    return answer


def finished(p):
    """The path of a message in a final state."""
    answer = post({**LEAST, "to": ["finished@inbox.example"]})(p)
    p.wait_terminal(answer.json()["id"])
    return answer.headers["Location"]


def waiting(p):
    """The path of a message that waits, because its mail server does not exist."""
    answer = p.request("POST", "/v1/messages", json={**LEAST, "to": ["nobody@nowhere.invalid-domain.test"]}, key=p.live_key)
    return answer.headers["Location"]


def order(name, where):
    return lambda p: p.request("POST", f"{where(p)}/{name}", key=p.live_key if where is waiting else p.test_key)


def scoped(method, path, scopes, **more):
    return lambda p: p.request(method, path, key=p.create_key(f"scoped-{scopes}", scopes=scopes, test=True), **more)


def suppress(email, **more):
    return lambda p: p.request("POST", SUPPRESSIONS, json={"email": email}, **more)


def suppressed_twice(p):
    assert suppress("twice@inbox.example")(p).status == 201
    return suppress("Twice@inbox.example")(p)


def unsuppress(p):
    assert suppress("gone@inbox.example")(p).status == 201
    return p.request("DELETE", f"{SUPPRESSIONS}/gone@inbox.example")


def suppression(p):
    suppress("shown@inbox.example")(p)
    return p.request("GET", f"{SUPPRESSIONS}/shown@inbox.example")


WEBHOOKS, WEBHOOK = "/v1/webhooks", "/v1/webhooks/{id}"
NO_HOOK = "whk_" + "0" * 26


def hook(p, **fields):
    answer = p.request("POST", WEBHOOKS, json={"url": "https://hooks.example/", "enabled": False, **fields})
    if answer.status == 201:
        p.cleanup.append(f"{WEBHOOKS}/{answer.json()['id']}")
    return answer


def with_hook(method, suffix="", **more):
    return lambda p: p.request(method, f"{WEBHOOKS}/{hook(p).json()['id']}{suffix}", **more)


def hook_out_of_reach(p):
    """A webhook that cannot be reached: reported as a result."""
    id = hook(p, url="https://hooks.invalid/", enabled=True).json()["id"]
    return p.request("POST", f"{WEBHOOKS}/{id}/test")


REDELIVER = WEBHOOK + "/deliveries/{delivery}/redeliver"
NO_EVENT = f"{WEBHOOKS}/{NO_HOOK}/deliveries/evt_{'0' * 30}/redeliver"


def redelivered(p, **fields):
    event = p.request("GET", finished(p) + "/events").json()["data"][0]["id"]
    id = hook(p, url="https://hooks.invalid/", **fields).json()["id"]
    return p.request("POST", f"{WEBHOOKS}/{id}/deliveries/{event}/redeliver")


def one_too_many(p):
    while True:
        answer = hook(p)
        if answer.status != 201:
            return answer


def on_no_hook(method, suffix=""):
    """The probes of every route on one webhook; scope: the one that the key lacks."""
    path, route, json = f"{WEBHOOKS}/{NO_HOOK}{suffix}", WEBHOOK + suffix, {} if method == "PATCH" else None
    reads = method == "GET"
    return [(method.lower(), route, 400, lambda p: p.request(method, path + "?a=%00", json=json)),
            (method.lower(), route, 401, lambda p: p.request(method, path, key=None, json=json)),
            (method.lower(), route, 403, scoped(method, path, "send" if reads else "read", json=json)),
            (method.lower(), route, 404, lambda p: p.request(method, path, json=json))]


KEYS, KEY, PROJECTS = "/v1/keys", "/v1/keys/{id}", "/v1/projects"
NO_KEY = "key_" + "0" * 26


def root(method, path, **more):
    return lambda p: p.request(method, path, key=harness.ROOT_KEY, **more)


def key(**fields):
    return lambda p: p.request("POST", KEYS, json={"name": "k", "scopes": ["read"], **fields})


def revoked(p):
    return p.request("DELETE", f"{KEYS}/{key()(p).json()['id']}")


def project_twice(p):
    assert root("POST", PROJECTS, json={"name": "twice"})(p).status == 201
    return root("POST", PROJECTS, json={"name": "twice"})(p)


def keys_to_the_limit(p):
    """As many as a project may have. The store makes them directly, because a thousand requests would take long."""
    project = root("POST", PROJECTS, json={"name": "full"})(p).json()["id"]
    answer = root("POST", KEYS, json={"name": "k", "scopes": ["read"], "project": project})(p)
    assert answer.status == 201, answer
    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: root("POST", KEYS, json={"name": "k", "scopes": ["read"], "project": project})(p).status, range(999)))
    assert statuses == {201}
    return root("POST", KEYS, json={"name": "k", "scopes": ["read"], "project": project})(p)


def keyed(name, path=lambda p: SUPPRESSIONS, **more):
    """A request that makes something, with an Idempotency-Key."""
    return lambda p: p.request("POST", path(p), headers={"Idempotency-Key": name}, **more)


def in_hand(make):
    """The same request while the first one has its claim."""
    def repeat(p):
        with harness.RedisClient(p.redis_socket) as redis:
            before = set(redis("KEYS", "pn:{g}:rsp:*"))
            assert make(p).status in (200, 201)
            key, = set(redis("KEYS", "pn:{g}:rsp:*")) - before
            lease_end = int(redis("TIME")[0]) * 1000 + 30_000
            redis("SET", key, redis("GET", key)[:32] + b" 0 %d seed another" % lease_end, "PX", 30_000)
        return make(p)
    return repeat


def rotated(name):
    """The rotation of one webhook, however often it is called."""
    hooks = []

    def rotate(p):
        hooks[:] = hooks or [hook(p).json()["id"]]
        return keyed(name, lambda p: f"{WEBHOOKS}/{hooks[0]}/rotate")(p)
    return rotate


def rotated_with_a_used_key(p):
    assert rotated("used")(p).status == 200
    return rotated("used")(p)


SUPPRESSIONS, SUPPRESSION = "/v1/suppressions", "/v1/suppressions/{email}"
NOBODY = SUPPRESSIONS + "/nobody@inbox.example"
CANCEL, RETRY = "/v1/messages/{id}/cancel", "/v1/messages/{id}/retry"
def above_a_limit(p):
    p.cli("project", "create", "limited", check=False)
    p.cli("project", "set", "limited", "--stored-bytes", "1")
    return post(key=p.create_key("limited", project="limited", test=True))(p)


def tried(p):
    location = post()(p).headers["Location"]
    p.wait_terminal(location.rpartition("/")[2])
    answer = p.request("GET", location + "/attempts")
    assert len(answer.json()["data"]) == 1
    return answer


MESSAGES, MESSAGE, INBOX = "/v1/messages", "/v1/messages/{id}", "/v1/test/inbox"
ATTEMPTS = MESSAGE + "/attempts"
PROBES = [
    ("post", MESSAGES, 202, post()),
    ("post", MESSAGES, 202, post(POST_EXAMPLES["full"]["value"])),
    ("post", MESSAGES, 202, replay),
    ("post", MESSAGES, 400, lambda p: p.request("POST", MESSAGES, {"Content-Type": "application/json"}, data=b"{")),
    ("post", MESSAGES, 400, post(headers={"Idempotency-Key": '"open'})),
    ("post", MESSAGES, 401, post(key=None)),
    ("post", MESSAGES, 403, post_scoped),
    ("post", MESSAGES, 413, post({**LEAST, "text": "x" * (17 << 20)})),
    ("post", MESSAGES, 415, lambda p: p.request("POST", MESSAGES, {"Content-Type": "text/plain"}, data=b"{}")),
    ("post", MESSAGES, 422, post({"unknown": 1})),
    ("post", MESSAGES, 422, mismatch),
    ("post", MESSAGES, 429, above_a_limit),
    ("get", MESSAGE, 200, sent),
    ("get", MESSAGE, 400, get(f"/v1/messages/{MISSING}?a=%00")),
    ("get", MESSAGE, 401, get(f"/v1/messages/{MISSING}", key="pn_test_" + "x" * 40)),
    ("get", MESSAGE, 403, get_scoped(f"/v1/messages/{MISSING}", "send")),
    ("get", MESSAGE, 404, get(f"/v1/messages/{MISSING}")),
    ("get", MESSAGES, 200, get("/v1/messages?limit=3")),
    ("get", MESSAGES, 400, get("/v1/messages?limit=0")),
    ("get", MESSAGES, 401, get("/v1/messages", key=None)),
    ("get", MESSAGES, 403, get_scoped("/v1/messages", "send")),
    ("post", CANCEL, 200, order("cancel", waiting)),
    ("post", CANCEL, 400, lambda p: p.request("POST", f"/v1/messages/{MISSING}/cancel?a=%00")),
    ("post", CANCEL, 401, lambda p: p.request("POST", f"/v1/messages/{MISSING}/cancel", key=None)),
    ("post", CANCEL, 403, scoped("POST", f"/v1/messages/{MISSING}/cancel", "read")),
    ("post", CANCEL, 404, lambda p: p.request("POST", f"/v1/messages/{MISSING}/cancel")),
    ("post", CANCEL, 409, order("cancel", finished)),
    ("post", RETRY, 200, order("retry", waiting)),
    ("post", RETRY, 400, lambda p: p.request("POST", f"/v1/messages/{MISSING}/retry?a=%00")),
    ("post", RETRY, 401, lambda p: p.request("POST", f"/v1/messages/{MISSING}/retry", key=None)),
    ("post", RETRY, 403, scoped("POST", f"/v1/messages/{MISSING}/retry", "read")),
    ("post", RETRY, 404, lambda p: p.request("POST", f"/v1/messages/{MISSING}/retry")),
    ("post", RETRY, 409, order("retry", finished)),
    ("get", MESSAGE + "/events", 200, lambda p: p.request("GET", finished(p) + "/events")),
    ("get", MESSAGE + "/events", 400, get(f"/v1/messages/{MISSING}/events?a=%00")),
    ("get", MESSAGE + "/events", 401, get(f"/v1/messages/{MISSING}/events", key=None)),
    ("get", MESSAGE + "/events", 403, get_scoped(f"/v1/messages/{MISSING}/events", "send")),
    ("get", MESSAGE + "/events", 404, get(f"/v1/messages/{MISSING}/events")),
    ("get", "/v1/events", 200, get("/v1/events?limit=3")),
    ("get", "/v1/events", 400, get("/v1/events?cursor=x")),
    ("get", "/v1/events", 401, get("/v1/events", key=None)),
    ("get", "/v1/events", 403, get_scoped("/v1/events", "send")),
    ("get", WEBHOOKS, 200, lambda p: hook(p) and p.request("GET", WEBHOOKS)),
    ("get", WEBHOOKS, 400, get(WEBHOOKS + "?a=%00")),
    ("get", WEBHOOKS, 401, get(WEBHOOKS, key=None)),
    ("get", WEBHOOKS, 403, get_scoped(WEBHOOKS, "send")),
    ("post", WEBHOOKS, 201, hook),
    ("post", WEBHOOKS, 400, lambda p: p.request("POST", WEBHOOKS, {"Content-Type": "application/json"}, data=b"{")),
    ("post", WEBHOOKS, 401, lambda p: p.request("POST", WEBHOOKS, json={}, key=None)),
    ("post", WEBHOOKS, 403, scoped("POST", WEBHOOKS, "read", json={})),
    ("post", WEBHOOKS, 409, one_too_many),
    ("post", WEBHOOKS, 415, lambda p: p.request("POST", WEBHOOKS, {"Content-Type": "text/plain"}, data=b"{}")),
    ("post", WEBHOOKS, 422, lambda p: hook(p, url="http://localhost/")),
    *on_no_hook("GET"), *on_no_hook("PATCH"), *on_no_hook("DELETE"), *on_no_hook("POST", "/rotate"), *on_no_hook("POST", "/test"),
    *on_no_hook("GET", "/deliveries"),
    ("get", WEBHOOK, 200, with_hook("GET")),
    ("patch", WEBHOOK, 200, with_hook("PATCH", json={"description": "x"})),
    ("patch", WEBHOOK, 415, with_hook("PATCH", data=b"{}")),
    ("patch", WEBHOOK, 422, with_hook("PATCH", json={"x": 1})),
    ("delete", WEBHOOK, 204, with_hook("DELETE")),
    ("post", WEBHOOK + "/rotate", 200, with_hook("POST", "/rotate")),
    ("post", WEBHOOK + "/rotate", 409, in_hand(rotated("in-hand-rotate"))),
    ("post", WEBHOOK + "/rotate", 422, rotated_with_a_used_key),
    ("post", WEBHOOK + "/test", 200, hook_out_of_reach),
    ("post", WEBHOOK + "/test", 409, with_hook("POST", "/test")),
    ("get", WEBHOOK + "/deliveries", 200, with_hook("GET", "/deliveries")),
    ("post", REDELIVER, 202, lambda p: redelivered(p, enabled=True)),
    ("post", REDELIVER, 400, lambda p: p.request("POST", NO_EVENT + "?a=%00")),
    ("post", REDELIVER, 401, lambda p: p.request("POST", NO_EVENT, key=None)),
    ("post", REDELIVER, 403, scoped("POST", NO_EVENT, "read")),
    ("post", REDELIVER, 404, lambda p: p.request("POST", NO_EVENT)),
    ("post", REDELIVER, 409, redelivered),
    ("get", KEYS, 200, get(KEYS)),
    ("get", KEYS, 200, root("GET", KEYS + "?project=default&limit=1")),
    ("get", KEYS, 400, get(KEYS + "?project=other")),
    ("get", KEYS, 401, get(KEYS, key=None)),
    ("get", KEYS, 403, get_scoped(KEYS, "send,read")),
    ("post", KEYS, 201, key()),
    ("post", KEYS, 201, root("POST", KEYS, json={"name": "live", "scopes": ["send"], "mode": "live", "project": "other"})),
    ("post", KEYS, 400, lambda p: p.request("POST", KEYS, {"Content-Type": "application/json"}, data=b"{")),
    ("post", KEYS, 401, lambda p: p.request("POST", KEYS, json={}, key=None)),
    ("post", KEYS, 403, key(mode="live")),
    ("post", KEYS, 403, key(project="other")),
    ("post", KEYS, 403, scoped("POST", KEYS, "send", json={"name": "k", "scopes": ["send"]})),
    ("post", KEYS, 403, scoped("POST", KEYS, "manage", json={"name": "k", "scopes": ["send"]})),
    ("post", KEYS, 404, root("POST", KEYS, json={"name": "k", "scopes": ["send"], "project": "nowhere"})),
    ("post", KEYS, 409, keys_to_the_limit),
    ("post", KEYS, 415, lambda p: p.request("POST", KEYS, {"Content-Type": "text/plain"}, data=b"{}")),
    ("post", KEYS, 422, key(scopes=["root"])),
    ("delete", KEY, 204, revoked),
    ("delete", KEY, 400, lambda p: p.request("DELETE", f"{KEYS}/{NO_KEY}?a=%00")),
    ("delete", KEY, 401, lambda p: p.request("DELETE", f"{KEYS}/{NO_KEY}", key=None)),
    ("delete", KEY, 403, scoped("DELETE", f"{KEYS}/{NO_KEY}", "send")),
    ("delete", KEY, 404, lambda p: p.request("DELETE", f"{KEYS}/{NO_KEY}")),
    ("get", PROJECTS, 200, root("GET", PROJECTS)),
    ("get", PROJECTS, 400, root("GET", PROJECTS + "?limit=0")),
    ("get", PROJECTS, 401, get(PROJECTS, key=None)),
    ("get", PROJECTS, 403, get(PROJECTS)),
    ("post", PROJECTS, 201, root("POST", PROJECTS, json={"name": "once"})),
    ("post", PROJECTS, 400, root("POST", PROJECTS, headers={"Content-Type": "application/json"}, data=b"{")),
    ("post", PROJECTS, 401, lambda p: p.request("POST", PROJECTS, json={}, key=None)),
    ("post", PROJECTS, 403, lambda p: p.request("POST", PROJECTS, json={"name": "x"})),
    ("post", PROJECTS, 409, project_twice),
    ("post", PROJECTS, 415, root("POST", PROJECTS, headers={"Content-Type": "text/plain"}, data=b"{}")),
    ("post", PROJECTS, 422, root("POST", PROJECTS, json={"name": ""})),
    ("get", SUPPRESSIONS, 200, get(SUPPRESSIONS)),
    ("get", SUPPRESSIONS, 400, get(SUPPRESSIONS + "?cursor=x")),
    ("get", SUPPRESSIONS, 401, get(SUPPRESSIONS, key=None)),
    ("get", SUPPRESSIONS, 403, get_scoped(SUPPRESSIONS, "send")),
    ("post", SUPPRESSIONS, 201, suppress("new@inbox.example")),
    ("post", SUPPRESSIONS, 200, suppressed_twice),
    ("post", SUPPRESSIONS, 400, lambda p: p.request("POST", SUPPRESSIONS, {"Content-Type": "application/json"}, data=b"{")),
    ("post", SUPPRESSIONS, 401, suppress("a@b.example", key=None)),
    ("post", SUPPRESSIONS, 403, scoped("POST", SUPPRESSIONS, "read", json={"email": "a@b.example"})),
    ("post", SUPPRESSIONS, 409, in_hand(keyed("in-hand", json={"email": "in-hand@inbox.example"}))),
    ("post", SUPPRESSIONS, 415, lambda p: p.request("POST", SUPPRESSIONS, {"Content-Type": "text/plain"}, data=b"{}")),
    ("post", SUPPRESSIONS, 422, suppress("no address")),
    ("get", SUPPRESSION, 200, suppression),
    ("get", SUPPRESSION, 400, get(NOBODY + "?a=%00")),
    ("get", SUPPRESSION, 401, get(NOBODY, key=None)),
    ("get", SUPPRESSION, 403, get_scoped(NOBODY, "send")),
    ("get", SUPPRESSION, 404, get(NOBODY)),
    ("delete", SUPPRESSION, 204, unsuppress),
    ("delete", SUPPRESSION, 400, lambda p: p.request("DELETE", NOBODY + "?a=%00")),
    ("delete", SUPPRESSION, 401, lambda p: p.request("DELETE", NOBODY, key=None)),
    ("delete", SUPPRESSION, 403, scoped("DELETE", NOBODY, "read")),
    ("delete", SUPPRESSION, 404, lambda p: p.request("DELETE", NOBODY)),
    ("get", ATTEMPTS, 200, tried),
    ("get", ATTEMPTS, 400, get(f"/v1/messages/{MISSING}/attempts?a=%00")),
    ("get", ATTEMPTS, 401, get(f"/v1/messages/{MISSING}/attempts", key=None)),
    ("get", ATTEMPTS, 403, get_scoped(f"/v1/messages/{MISSING}/attempts", "send")),
    ("get", ATTEMPTS, 404, get(f"/v1/messages/{MISSING}/attempts")),
    ("get", INBOX, 200, get("/v1/test/inbox?to=nobody@inbox.example")),
    ("get", INBOX, 200, received),
    ("get", INBOX, 400, get("/v1/test/inbox?since=yesterday")),
    ("delete", INBOX, 204, lambda p: p.request("DELETE", "/v1/test/inbox?to=nobody@inbox.example")),
    ("delete", INBOX, 400, lambda p: p.request("DELETE", "/v1/test/inbox?to=nobody")),
    ("delete", INBOX, 401, lambda p: p.request("DELETE", "/v1/test/inbox", key=None)),
    ("delete", INBOX, 403, lambda p: p.request("DELETE", "/v1/test/inbox", key=p.live_key)),
    ("get", INBOX, 401, get("/v1/test/inbox?to=a@b.example", key=None)),
    ("get", INBOX, 403, get_with("/v1/test/inbox?to=a@b.example", "live_key")),
    ("get", INBOX, 403, get_scoped("/v1/test/inbox?to=a@b.example", "send")),
    ("get", "/problems/{problem}", 200, get("/problems/validation", key=None)),
    ("get", "/problems/{problem}", 404, get("/problems/nope", key=None)),
    *[("get", path, 400, get(path + "?a=%00", key=None)) for path in ("/healthz", "/readyz", "/openapi.json", "/openapi.yaml")],
    ("get", "/healthz", 200, get("/healthz", key=None)),
    ("get", "/readyz", 200, get("/readyz", key=None)),
    ("get", "/openapi.json", 200, get("/openapi.json", key=None)),
    ("get", "/openapi.yaml", 200, get("/openapi.yaml", key=None)),
]
PROBES_WITHOUT_STORE = [
    ("post", MESSAGES, 503, post()),
    ("get", MESSAGE, 503, get(f"/v1/messages/{MISSING}")),
    ("get", ATTEMPTS, 503, get(f"/v1/messages/{MISSING}/attempts")),
    ("get", INBOX, 503, get("/v1/test/inbox?to=a@b.example")),
    ("delete", INBOX, 503, lambda p: p.request("DELETE", "/v1/test/inbox?to=a@b.example")),
    ("get", MESSAGES, 503, get("/v1/messages")),
    ("post", CANCEL, 503, lambda p: p.request("POST", f"/v1/messages/{MISSING}/cancel")),
    ("post", RETRY, 503, lambda p: p.request("POST", f"/v1/messages/{MISSING}/retry")),
    ("get", MESSAGE + "/events", 503, get(f"/v1/messages/{MISSING}/events")),
    ("get", "/v1/events", 503, get("/v1/events")),
    ("get", WEBHOOKS, 503, get(WEBHOOKS)),
    ("post", WEBHOOKS, 503, lambda p: p.request("POST", WEBHOOKS, json={"url": "https://hooks.example/"})),
    *[(m.lower(), WEBHOOK + s, 503, lambda p, m=m, s=s: p.request(m, f"{WEBHOOKS}/{NO_HOOK}{s}", json={} if m == "PATCH" else None))
      for m, s in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/test"), ("GET", "/deliveries"))],
    ("post", REDELIVER, 503, lambda p: p.request("POST", NO_EVENT)),
    ("get", KEYS, 503, get(KEYS)),
    ("post", KEYS, 503, key()),
    ("delete", KEY, 503, lambda p: p.request("DELETE", f"{KEYS}/{NO_KEY}")),
    ("get", PROJECTS, 503, root("GET", PROJECTS)),
    ("post", PROJECTS, 503, root("POST", PROJECTS, json={"name": "x"})),
    ("get", SUPPRESSIONS, 503, get(SUPPRESSIONS)),
    ("post", SUPPRESSIONS, 503, suppress("a@b.example")),
    ("get", SUPPRESSION, 503, get(NOBODY)),
    ("delete", SUPPRESSION, 503, lambda p: p.request("DELETE", NOBODY)),
    ("get", "/readyz", 503, get("/readyz", key=None)),
]


def test_every_documented_status_has_a_probe():
    documented = {(m, p, int(s)) for m, p in OPERATIONS for s in DOCUMENT["paths"][p][m]["responses"] if s != "default"}
    assert documented == {probe[:3] for probe in PROBES + PROBES_WITHOUT_STORE}


@pytest.mark.parametrize("method,path,status,probe", PROBES, ids=lambda v: None if callable(v) else str(v))
def test_each_response_is_as_documented(postern, method, path, status, probe):
    postern.cleanup = []
    answer = probe(postern)
    for made in postern.cleanup:
        postern.request("DELETE", made)
    assert answer.status == status, answer
    hold(answer, method, path)


def test_responses_without_a_store_are_as_documented(make_redis, make_postern):
    redis = make_redis()
    server = make_postern(redis=redis)
    assert post()(server).status == 202
    redis.kill()
    # A key may be served from memory for a second, and the lost connection may show only at the first use.
    with ThreadPoolExecutor(len(PROBES_WITHOUT_STORE)) as pool:
        answers = list(pool.map(lambda probe: probe[3](server), PROBES_WITHOUT_STORE))
    for (method, path, status, _), answer in zip(PROBES_WITHOUT_STORE, answers):
        assert answer.status == status, answer
        hold(answer, method, path)
        assert answer.headers["Retry-After"], answer
    assert post()(server).json()["type"] == "/problems/not-accepted"
    assert server.request("GET", "/healthz", key=None).status == 200


# ---- the document itself ----

def test_the_served_document_is_this_document(postern):
    assert postern.request("GET", "/openapi.yaml", key=None).body == (ROOT / "openapi/openapi.yaml").read_bytes()
    assert postern.request("GET", "/openapi.json", key=None).json() == DOCUMENT


def test_requests_refuse_unknown_fields_and_responses_may_get_new_ones():
    reads, writes = openapi.bodies(DOCUMENT)
    requests, responses = (openapi.schemas_below(DOCUMENT, bodies) for bodies in (reads, writes))
    assert len(requests) >= 8 and len(responses) >= 20
    assert [s for s in requests if s.get("additionalProperties") is not False] == []
    assert [s for s in responses if s.get("additionalProperties") is False] == []


def test_schemas_are_schemas_and_examples_fit_them():
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    checked = 0
    for method, path in OPERATIONS:
        operation = DOCUMENT["paths"][path][method]
        bodies = [operation.get("requestBody", {}), *map(resolve, operation["responses"].values())]
        for media in [media for body in bodies for media in body.get("content", {}).values()]:
            for example in media.get("examples", {}).values():
                validate(example["value"], media["schema"])
                checked += 1
    assert checked >= 6


@pytest.mark.parametrize("name", POST_EXAMPLES)
def test_examples_work(postern, name):
    answer = postern.request("POST", "/v1/messages", json=POST_EXAMPLES[name]["value"])
    assert answer.status == 202, answer
    hold(answer, "post", "/v1/messages")
    shown = postern.request("GET", answer.headers["Location"])
    hold(shown, "get", "/v1/messages/{id}")
    for field in ("subject", "tags", "metadata"):
        assert shown.json().get(field) == POST_EXAMPLES[name]["value"].get(field)


def test_the_full_example_has_every_field_and_no_other(postern):
    schemas = DOCUMENT["components"]["schemas"]
    full = POST_EXAMPLES["full"]["value"]
    assert set(full) == set(schemas["Send"]["properties"])
    assert {k for a in full["attachments"] for k in a} == set(schemas["Attachment"]["properties"])
    for field in schemas["Send"]["properties"]:
        answer = postern.request("POST", "/v1/messages", json={**LEAST, field: True})
        assert answer.status == 422, (field, answer)
        fault = next(f for f in answer.json()["errors"] if f["pointer"] == f"/{field}")
        assert fault["detail"].startswith("must be "), fault


def test_every_problem_type_has_its_page(postern):
    for name in DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]:
        page = postern.request("GET", name, key=None)
        assert page.status == 200 and page.headers["Content-Type"].startswith("text/html") and name in page.body.decode(), page


def test_every_event_type_is_a_webhook_of_the_document():
    assert list(DOCUMENT["webhooks"]) == DOCUMENT["components"]["schemas"]["Event"]["properties"]["type"]["enum"]


def test_every_problem_type_is_explained():
    for name in DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]:
        assert f"`{name}`" in DOCUMENT["info"]["description"]


# ---- methods ----

@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_head_options_and_other_methods(postern, path):
    target = path.replace("{id}", NO_HOOK if "webhooks" in path else NO_KEY if "keys" in path else MISSING).replace("{email}", "nobody@inbox.example").replace("{problem}", "validation").replace("{delivery}", "evt_" + "0" * 30) + ("?to=a@b.example" if path == INBOX else "")
    known = {m.upper() for m in DOCUMENT["paths"][path]} | {"OPTIONS"}
    known |= {"HEAD"} if "GET" in known else set()
    options = postern.request("OPTIONS", target, key=None)
    assert options.status == 204 and options.body == b""
    assert set(re.split(r",\s*", options.headers["Allow"])) == known
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - known:
        answer = postern.request(method, target)
        assert answer.status == 405, (method, answer)
        assert set(re.split(r",\s*", answer.headers["Allow"])) == known
        validate(answer.json(), DOCUMENT["components"]["schemas"]["Problem"])
    if "GET" in known:
        head, full = postern.request("HEAD", target), postern.request("GET", target)
        assert (head.status, head.body) == (full.status, b"")

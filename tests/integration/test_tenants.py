"""Access of each key to objects of other projects and modes, for all routes that the server serves."""
import contextlib
import http.client
import http.server
import json
import threading
import time

import pytest

from support import harness

# Makes an object of a key's project and mode, by the prefix of its id: the {id} of a path must exist.
MAKERS = {
    "messages": lambda p, key: p.request("POST", "/v1/messages", key=key, json={**MESSAGE, "to": ["tenant@nowhere.invalid-domain.test"]}).json()["id"],
    "webhooks": lambda p, key: p.request("POST", "/v1/webhooks", key=key, json={"url": "https://own.example/", "enabled": False}).json()["id"],
    "keys": lambda p, key: p.request("POST", "/v1/keys", key=key, json={"name": "own", "scopes": ["read"]}).json()["id"],
    "suppressions": lambda p, key: p.request("POST", "/v1/suppressions", key=key, json={"email": f"tenant-{key[-8:]}@own.test"}).json()["email"],
}
MESSAGE = {"from": "orders@shop.example", "text": "Thank you."}
# (owner, stranger): objects of another project, and of the other mode of the same project, must not be accessible.
STRANGERS = [("test_key", "other_key"), ("test_key", "live_key"), ("live_key", "test_key"), ("live_key", "other_key")]
NOT_THERE = {"messages": "msg_" + "0" * 26, "webhooks": "whk_" + "0" * 26, "keys": "key_" + "0" * 26, "suppressions": "nobody@own.test"}


@pytest.fixture(scope="module")
def routes(postern):
    """(method, path) of all that needs a key."""
    paths = postern.request("GET", "/openapi.json", key=None).json()["paths"]
    return [(method.upper(), path) for path, item in paths.items() for method in item if path.startswith("/v1/")]


@contextlib.contextmanager
def receiver(events):
    """The URL of a webhook receiver that accepts everything."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def body(method):
    return {} if method in ("POST", "PATCH", "PUT") else None


def same(a, b):
    return a.status == b.status and {**a.json(), "request_id": 0} == {**b.json(), "request_id": 0}


@pytest.mark.parametrize("owner,stranger", STRANGERS)
def test_objects_of_another_project_or_mode_are_not_found(postern, routes, owner, stranger):
    owner, stranger, tried = getattr(postern, owner), getattr(postern, stranger), 0
    made = {kind: make(postern, owner) for kind, make in MAKERS.items()}
    event = postern.request("GET", f"/v1/messages/{made['messages']}/events", key=owner).json()["data"][0]["id"]
    for method, path in routes:
        if "{" not in path:
            continue
        kind = path.split("/")[2]
        assert kind in MAKERS, f"{path}: say in MAKERS how to make one"
        fill = lambda value: (path[:path.index("{")] + value + path[path.index("}") + 1:]).replace("{delivery}", event)
        foreign = postern.request(method, fill(made[kind]), key=stranger, json=body(method))
        absent = postern.request(method, fill(NOT_THERE[kind]), key=stranger, json=body(method))
        assert foreign.status == 404 and same(foreign, absent), (method, path, foreign, absent)
        tried += 1
    assert tried >= 13
    for kind, id in made.items():
        shown = postern.request("GET", f"/v1/{kind}" + ("" if kind == "keys" else f"/{id}"), key=owner)
        assert shown.status == 200 and id in shown.body.decode(), f"a stranger changed {kind}: {shown}"


@pytest.mark.parametrize("owner,stranger", STRANGERS)
def test_lists_and_events_have_nothing_of_another_project_or_mode(postern, owner, stranger):
    owner, stranger = getattr(postern, owner), getattr(postern, stranger)
    made = {kind: make(postern, owner) for kind, make in MAKERS.items() if kind != "suppressions"}
    made["suppressions"] = postern.request("POST", "/v1/suppressions", key=owner, json={"email": f"{made['keys']}@own.test"}).json()["email"]
    for path in ("/v1/messages", "/v1/events", "/v1/webhooks", "/v1/keys", "/v1/suppressions"):
        own = whole(postern, path, owner)
        kind = {"events": "messages"}.get(path.split("/")[2], path.split("/")[2])
        assert made[kind] in own and made[kind] not in whole(postern, path, stranger), path


def whole(postern, path, key):
    """All pages of a list, as one text."""
    text, cursor, page = "", "", None
    while page is None or page["data"] and page["next_cursor"]:
        answer = postern.request("GET", f"{path}?limit=100{cursor}", key=key)
        assert answer.status == 200, answer
        page, text = answer.json(), text + answer.body.decode()
        cursor = f"&cursor={page['next_cursor']}"
    return text


@pytest.mark.parametrize("mode,other", [("test", "live"), ("live", "test")])
def test_a_webhook_gets_events_of_its_own_mode_only(make_postern, mode, other):
    server = make_postern({"webhook_allow_private": True})
    received = []
    with receiver(received) as url:
        made = server.request("POST", "/v1/webhooks", key=getattr(server, f"{mode}_key"), json={"url": url, "events": ["message.queued"]})
        assert made.json()["mode"] == mode
        send = lambda m: server.request("POST", "/v1/messages", key=getattr(server, f"{m}_key"), json={**MESSAGE, "to": ["mode@nowhere.invalid-domain.test"]}).json()["id"]
        send(other)
        own = send(mode)
        harness.wait_for(lambda: received, 10)
        time.sleep(0.5)
    assert [(e["data"]["message_id"], e["mode"]) for e in received] == [(own, mode)]


@pytest.mark.parametrize("mode,other", [("test", "live"), ("live", "test")])
def test_a_key_makes_keys_of_its_own_mode(postern, mode, other):
    key = getattr(postern, f"{mode}_key")
    make = lambda **fields: postern.request("POST", "/v1/keys", key=key, json={"name": "k", "scopes": ["read"], **fields})
    assert make().json()["mode"] == make(mode=mode).json()["mode"] == mode
    refused = make(mode=other)
    assert refused.status == 403 and "own mode" in refused.json()["detail"], refused
    assert {k["mode"] for k in postern.request("GET", "/v1/keys", key=key).json()["data"]} == {mode}


def test_the_keys_of_a_project_that_does_not_exist_are_404(postern):
    answer = postern.request("GET", "/v1/keys?project=nope", key=harness.ROOT_KEY)
    assert answer.status == 404 and "project" in answer.json()["detail"].lower(), answer


def test_no_route_responds_without_a_key(postern, routes):
    for method, path in routes:
        path = path.replace("{id}", NOT_THERE.get(path.split("/")[2], "x")).replace("{email}", "a@b.example").replace("{delivery}", "evt_" + "0" * 30)
        answers = [postern.request(method, path, key=key, json=body(method))
                   for key in (None, "pn_test_" + "x" * 40, postern.revoked_key, "pn_root_" + "x" * 40)]
        for answer in answers:
            assert answer.status == 401 and same(answer, answers[0]), (method, path, answer)


def test_the_root_key_makes_projects_and_keys_and_nothing_else(postern, routes):
    for method, path in routes:
        path = path.replace("{id}", NOT_THERE.get(path.split("/")[2], "x")).replace("{email}", "a@b.example").replace("{delivery}", "evt_" + "0" * 30)
        answer = postern.request(method, path, key=harness.ROOT_KEY, json=body(method))
        if path.startswith(("/v1/keys", "/v1/projects")):
            assert answer.status in (200, 404, 422), (method, path, answer)
        else:
            assert answer.status == 403 and "root key" in answer.json()["detail"], (method, path, answer)


def test_a_project_begins_empty_and_sees_its_own(postern):
    project = postern.request("POST", "/v1/projects", key=harness.ROOT_KEY, json={"name": "fresh"}).json()
    made = postern.request("POST", "/v1/keys", key=harness.ROOT_KEY,
                           json={"name": "first", "scopes": ["send", "read", "manage"], "mode": "test", "project": project["id"]})
    assert made.status == 201 and made.headers["Cache-Control"] == "no-store"
    key = made.json()["key"]
    for path in ("/v1/messages", "/v1/events", "/v1/webhooks", "/v1/suppressions"):
        assert postern.request("GET", path, key=key).json()["data"] == [], path
    listed = postern.request("GET", "/v1/keys", key=key).json()["data"]
    assert listed == [{k: v for k, v in made.json().items() if k != "key"}]
    second = postern.request("POST", "/v1/keys", key=key, json={"name": "second", "scopes": ["read"]}).json()
    assert second["project_id"] == project["id"] and second["mode"] == "test" and second["scopes"] == ["read"]
    assert [k["name"] for k in postern.request("GET", "/v1/keys?limit=1", key=key).json()["data"]] == ["second"]
    assert postern.request("POST", "/v1/keys", key=second["key"], json={"name": "x", "scopes": ["read"]}).status == 403
    names = [p["name"] for p in postern.request("GET", "/v1/projects", key=harness.ROOT_KEY).json()["data"]]
    assert {"fresh", "other", "default"} <= set(names)
    assert postern.request("DELETE", f"/v1/keys/{second['id']}", key=postern.test_key).status == 404
    assert postern.request("DELETE", f"/v1/keys/{second['id']}", key=key).status == 204


def test_a_revoked_key_is_refused_within_a_second_on_open_connections_too(postern):
    made = postern.request("POST", "/v1/keys", json={"name": "short", "scopes": ["read", "manage"]}).json()
    connections = [http.client.HTTPConnection(postern.host, timeout=10) for _ in range(8)]     # more than one process
    ask = lambda c: (c.request("GET", "/v1/keys?limit=1", headers={"Authorization": f"Bearer {made['key']}"}), c.getresponse())[1]
    for c in connections:
        answer = ask(c)
        assert answer.status == 200 and json.loads(answer.read())
    assert postern.request("DELETE", f"/v1/keys/{made['id']}").status == 204
    revoked = time.monotonic()
    time.sleep(1.0)
    for c in connections:
        answer = ask(c)
        assert answer.status == 401, f"{time.monotonic() - revoked:.1f} s after it was revoked"
        answer.read()
        c.close()


def test_keys_are_stored_as_hashes(make_redis, make_postern):
    redis = make_redis()
    server = make_postern(redis=redis)
    made = server.request("POST", "/v1/keys", json={"name": "hash", "scopes": ["read"]}).json()
    assert server.request("GET", "/v1/messages", key=made["key"]).status == 200
    texts = [f.read_bytes() for f in redis.directory.rglob("*") if f.is_file()] + [server.log().encode()]
    assert not any(made["key"].encode() in text for text in texts)
    assert any(made["id"].encode() in text for text in texts)

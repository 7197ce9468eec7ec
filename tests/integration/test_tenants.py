"""Whose key may do what to whose things: made from the route table that the server serves."""
import http.client
import json
import time

import pytest

from support import harness

# How to make a thing of the default project, by what its id begins with: a path's {id} needs one that is there.
MAKERS = {
    "messages": lambda p: p.deliver("tenant@own.test")["id"],
    "webhooks": lambda p: p.request("POST", "/v1/webhooks", json={"url": "https://own.example/", "enabled": False}).json()["id"],
    "keys": lambda p: p.request("POST", "/v1/keys", json={"name": "own", "scopes": ["read"]}).json()["id"],
    "suppressions": lambda p: p.request("POST", "/v1/suppressions", json={"email": "tenant@own.test"}).json()["email"],
}
NOT_THERE = {"messages": "msg_" + "0" * 26, "webhooks": "whk_" + "0" * 26, "keys": "key_" + "0" * 26, "suppressions": "nobody@own.test"}


@pytest.fixture(scope="module")
def routes(postern):
    """(method, path) of all that needs a key."""
    paths = postern.request("GET", "/openapi.json", key=None).json()["paths"]
    return [(method.upper(), path) for path, item in paths.items() for method in item if path.startswith("/v1/")]


def body(method):
    return {} if method in ("POST", "PATCH", "PUT") else None


def same(a, b):
    return a.status == b.status and {**a.json(), "request_id": 0} == {**b.json(), "request_id": 0}


def test_what_is_anothers_is_not_there(postern, routes):
    tried = 0
    event = postern.request("GET", f"/v1/messages/{MAKERS['messages'](postern)}/events").json()["data"][0]["id"]
    for method, path in routes:
        if "{" not in path:
            continue
        kind = path.split("/")[2]
        assert kind in MAKERS, f"{path}: say in MAKERS how to make one"
        id = MAKERS[kind](postern)
        fill = lambda value: (path[:path.index("{")] + value + path[path.index("}") + 1:]).replace("{event}", event)
        foreign = postern.request(method, fill(id), key=postern.other_key, json=body(method))
        absent = postern.request(method, fill(NOT_THERE[kind]), key=postern.other_key, json=body(method))
        assert foreign.status == 404 and same(foreign, absent), (method, path, foreign, absent)
        tried += 1
    assert tried >= 13


def test_no_key_no_answer(postern, routes):
    for method, path in routes:
        path = path.replace("{id}", NOT_THERE.get(path.split("/")[2], "x")).replace("{email}", "a@b.example").replace("{event}", "evt_" + "0" * 30)
        answers = [postern.request(method, path, key=key, json=body(method))
                   for key in (None, "pn_test_" + "x" * 40, postern.revoked_key, "pn_root_" + "x" * 40)]
        for answer in answers:
            assert answer.status == 401 and same(answer, answers[0]), (method, path, answer)


def test_the_root_key_makes_projects_and_keys_and_nothing_else(postern, routes):
    for method, path in routes:
        path = path.replace("{id}", NOT_THERE.get(path.split("/")[2], "x")).replace("{email}", "a@b.example").replace("{event}", "evt_" + "0" * 30)
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

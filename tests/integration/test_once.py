"""Idempotency-Key on what makes a key, project, webhook or suppression: one thing, and the first response again."""
import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import harness
from support.harness import wait_for
from support.redis_proxy import Fault, Proxy

COUNTER = itertools.count()
LOADING = "LOADING Redis is loading the dataset in memory"
KEPT = "pn:{g}:rsp:*"


def key_body(n):
    return {"name": f"once{n}", "scopes": ["read"]}


def webhook_body(n):
    return {"url": f"https://once{n}.example/", "enabled": False}


# path -> the body number n, and whether the response has a secret
ROUTES = {
    "/v1/keys": (key_body, True),
    "/v1/webhooks": (webhook_body, True),
    "/v1/projects": (lambda n: {"name": f"once{n}"}, False),
    "/v1/suppressions": (lambda n: {"email": f"once{n}@once.example"}, False),
}


def auth(server, path):
    return harness.ROOT_KEY if path == "/v1/projects" else server.test_key


def make(server, path, body, name, key=None):
    return server.request("POST", path, {"Idempotency-Key": name}, json=body, key=key or auth(server, path))


def problem(answer, status, slug):
    assert answer.status == status and answer.json()["type"] == f"/problems/{slug}", answer
    return answer


def is_replay(answer):
    return answer.headers["Idempotent-Replayed"] == "true"


def how_many(server, path, field, value):
    return len(things(server, path, {field: value}))


def things(server, path, body):
    """The listed things that have the fields of the body."""
    page = server.request("GET", path + "?limit=100", key=auth(server, path)).json()
    return [item for item in page["data"] if body.items() <= item.items()]


def end_lease(stalled):
    """The time of the one claim passes."""
    claim, = stalled.redis("KEYS", KEPT)
    fingerprint, status, until, *rest = stalled.redis("GET", claim).decode().split()
    assert status == "0" and time.time() * 1000 - 5000 < int(until) < time.time() * 1000 + 35_000, until
    stalled.redis("SET", claim, " ".join([fingerprint, status, "1", *rest]), "KEEPTTL")


def new(path):
    n = next(COUNTER)
    return f"once-{n}", ROUTES[path][0](n)


@pytest.mark.parametrize("path", ROUTES)
def test_the_same_key_and_body_give_the_first_response_again(postern, path):
    name, body = new(path)
    first, again = make(postern, path, body, name), make(postern, path, body, f'"{name}"')
    assert first.status == 201 and not is_replay(first), first
    assert again.status == 201 and is_replay(again) and again.body == first.body
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    if ROUTES[path][1]:
        assert again.headers["Cache-Control"] == "no-store"
    field = next(iter(body))
    assert how_many(postern, path, field, body[field]) == 1


@pytest.mark.parametrize("path", ROUTES)
def test_another_body_is_a_mismatch_and_makes_nothing(postern, path):
    name, body = new(path)
    assert make(postern, path, body, name).status == 201
    other = new(path)[1]
    problem(make(postern, path, other, name), 422, "idempotency-mismatch")
    field = next(iter(other))
    assert how_many(postern, path, field, other[field]) == 0


def test_another_path_is_a_mismatch(postern):
    name, body = new("/v1/keys")
    assert make(postern, "/v1/keys", body, name).status == 201
    problem(make(postern, "/v1/suppressions", {"email": "a@once.example"}, name), 422, "idempotency-mismatch")


def test_a_rotation_that_is_repeated_makes_one_secret(postern):
    path = "/v1/webhooks/" + postern.request("POST", "/v1/webhooks", json=webhook_body(next(COUNTER))).json()["id"] + "/rotate"
    first, again, other = (postern.request("POST", path, {"Idempotency-Key": f"{path}{n}"}) for n in (1, 1, 2))
    assert first.status == 200 and again.body == first.body and is_replay(again)
    assert other.status == 200 and other.json()["secret"] != first.json()["secret"]


@pytest.mark.parametrize("path", ROUTES)
def test_twenty_requests_at_once_make_one_thing(postern, path):
    name, body = new(path)

    def repeat(_):
        while (answer := make(postern, path, body, name)).status == 409:
            assert answer.headers["Retry-After"] == "1" and "Idempotency-Key" in answer.json()["detail"], answer
        return answer
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(repeat, range(20)))
    assert {a.status for a in answers} == {201} and len({a.body for a in answers}) == 1
    assert sum(not is_replay(a) for a in answers) == 1
    field = next(iter(body))
    assert how_many(postern, path, field, body[field]) == 1


def test_each_project_each_mode_and_the_root_key_have_their_own_keys(postern):
    name, body = new("/v1/keys")
    body["mode"] = None
    answers = [make(postern, "/v1/keys", body, name, key=key)
               for key in (postern.test_key, postern.live_key, postern.other_key, harness.ROOT_KEY)]
    assert [a.status for a in answers] == [201] * 4 and not any(map(is_replay, answers)), answers
    assert len({a.json()["key"] for a in answers}) == 4


def test_an_api_key_with_other_scopes_gets_no_secret_that_it_may_not_make(postern):
    name, body = new("/v1/keys")
    assert make(postern, "/v1/keys", body, name).status == 201
    weak = postern.create_key("weak", scopes="manage", test=True)
    problem(make(postern, "/v1/keys", body, name, key=weak), 422, "idempotency-mismatch")


@pytest.mark.parametrize("path", ROUTES)
def test_an_error_does_not_use_up_the_key(postern, path):
    name, body = new(path)
    problem(make(postern, path, {"unknown": 1}, name), 422, "validation")
    answer = make(postern, path, body, name)
    assert answer.status == 201 and not is_replay(answer)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("value", ["", '"open', "x" * 256])
def test_a_header_that_is_no_key_is_refused(postern, path, value):
    problem(make(postern, path, new(path)[1], value), 400, "bad-request")


def test_redis_has_no_secret_of_a_kept_response_in_clear(make_postern, make_redis):
    redis = make_redis()
    server = make_postern({"idempotency_s": 3600}, redis=redis)
    secrets = [make(server, "/v1/keys", key_body(1), "sealed-1").json()["key"],
               make(server, "/v1/webhooks", webhook_body(1), "sealed-2").json()["secret"]]
    path = "/v1/webhooks/" + server.request("GET", "/v1/webhooks").json()["data"][0]["id"] + "/rotate"
    secrets.append(server.request("POST", path, {"Idempotency-Key": "sealed-3"}).json()["secret"])
    keys = redis("KEYS", KEPT)
    kept = [redis("GET", key) for key in keys]
    assert len(kept) == 3 and all(re.fullmatch(rb"[0-9a-f]{32} 20[01] s1:[\w+/=]+", text) for text in kept), kept
    assert all(3_500_000 < redis("PTTL", key) <= 3_600_000 for key in keys)
    log = b"".join(f.read_bytes() for f in redis.directory.rglob("*.aof"))
    assert b"rsp:" in log and not any(secret.encode() in log for secret in secrets)


def test_the_largest_webhook_is_kept(postern):
    body = {"url": "https://once.example/" + "x" * (2048 - 21), "events": ["message.delivered"] * 20,
            "description": "\U0001f600" * 200, "enabled": False}
    first, again = (make(postern, "/v1/webhooks", body, "largest") for _ in range(2))
    assert first.status == 201 and len(first.body) > 3000 and again.body == first.body and is_replay(again), first


def test_without_a_sealing_secret_the_header_is_refused_where_the_response_has_a_secret(make_postern, make_redis):
    server = make_postern({"secret": ""}, redis=make_redis())
    for path in ("/v1/keys", "/v1/webhooks"):
        answer = problem(make(server, path, ROUTES[path][0](1), "unsealed"), 503, "not-configured")
        assert "POSTERN_SECRET" in answer.json()["detail"] and answer.headers["Retry-After"] is None
    assert how_many(server, "/v1/keys", "name", "once1") == 0
    assert server.request("POST", "/v1/keys", json=key_body(1)).status == 201
    assert is_replay([make(server, "/v1/suppressions", {"email": "a@b.example"}, "unsealed") for _ in range(2)][1])


class Stalled:
    """A Postern for which Redis does not run a transition, until it may."""

    def __init__(self, make_postern, make_redis, stack, tmp_path):
        self.redis = make_redis()
        self.proxy = stack.add(Proxy(self.redis.socket, tmp_path / "proxy.sock")).start()
        self.server = make_postern({"redis_url": self.proxy.url, "workers_api": 1}, redis=self.redis)
        self.proxy.seen.clear()

    def stall(self, transition="key_make"):
        self.proxy.faults = [Fault("error", transition, error=LOADING) for _ in range(100_000)]


@pytest.fixture
def stalled(make_postern, make_redis, stack, tmp_path):
    return Stalled(make_postern, make_redis, stack, tmp_path)


def test_a_request_that_is_in_hand_is_not_started_again_and_a_crash_frees_its_key(stalled):
    server, body = stalled.server, key_body("crash")
    stalled.stall()
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(make, server, "/v1/keys", body, "crash")
        wait_for(lambda: stalled.proxy.seen["key_make"])
        answer = problem(make(server, "/v1/keys", body, "crash"), 409, "conflict")
        assert answer.headers["Retry-After"] == "1"
        problem(make(server, "/v1/keys", key_body("x"), "crash"), 422, "idempotency-mismatch")
        server.crash()
        assert lost.exception()
    stalled.proxy.faults = []
    server.start()
    problem(make(server, "/v1/keys", body, "crash"), 409, "conflict")
    end_lease(stalled)
    answers = [wait_for(lambda: (a := make(server, "/v1/keys", body, "crash")).status != 409 and a) for _ in range(2)]
    assert [a.status for a in answers] == [201, 201] and answers[0].body == answers[1].body and is_replay(answers[1])
    assert how_many(server, "/v1/keys", "name", body["name"]) == 1


@pytest.mark.parametrize("transition", ["response_claim", "key_make", "response_finish"])
@pytest.mark.parametrize("kind", ["unheard", "unanswered"])
def test_a_lost_connection_to_redis_changes_nothing(stalled, transition, kind):
    stalled.proxy.faults = [fault := Fault(kind, transition)]
    answers = [make(stalled.server, "/v1/keys", key_body("cut"), "cut") for _ in range(2)]
    assert fault.is_hit and [a.status for a in answers] == [201, 201], answers
    assert answers[0].body == answers[1].body and is_replay(answers[1])
    assert how_many(stalled.server, "/v1/keys", "name", "oncecut") == 1
    assert not [line for line in stalled.server.log_lines() if line["fact"] == "idempotency.not_kept"]


def test_a_response_that_cannot_be_kept_is_sent_and_logged(stalled):
    stalled.proxy.faults = [Fault("error", "response_finish", error="ERR broken")]
    answers = [make(stalled.server, "/v1/keys", key_body("n"), "n") for _ in range(2)]
    assert [a.status for a in answers] == [201, 409], answers
    line, = [line for line in stalled.server.log_lines() if line["fact"] == "idempotency.not_kept"]
    assert line["request"] == answers[0].headers["X-Request-Id"]


@pytest.mark.parametrize("path", [p for p in ROUTES if p != "/v1/suppressions"])
def test_a_crash_after_the_thing_was_made_does_not_make_a_second_one(stalled, path):
    server, (name, body) = stalled.server, new(path)
    stalled.stall("response_finish")
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(make, server, path, body, name)
        wait_for(lambda: stalled.proxy.seen["response_finish"])
        server.crash()
        assert lost.exception()
    stalled.proxy.faults = []
    server.start()
    made, = things(server, path, body)
    end_lease(stalled)
    answers = [make(server, path, body, name) for _ in range(2)]
    assert [a.status for a in answers] == [201, 201] and answers[0].body == answers[1].body and is_replay(answers[1])
    assert answers[0].json()["id"] == made["id"] and things(server, path, body) == [made]
    if path == "/v1/keys":
        assert server.request("GET", "/v1/messages", key=answers[0].json()["key"]).status == 200


def test_a_secret_is_rotated_once_although_the_first_try_crashed(stalled):
    server, body = stalled.server, webhook_body("rotated")
    first = make(server, "/v1/webhooks", body, "hook").json()
    stalled.redis("DEL", *stalled.redis("KEYS", KEPT))
    path = f"/v1/webhooks/{first['id']}/rotate"
    stalled.stall("response_finish")
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(make, server, path, None, "turn")
        wait_for(lambda: stalled.proxy.seen["response_finish"] > 1)
        server.crash()
        assert lost.exception()
    stalled.proxy.faults = []
    server.start()
    stored = lambda: stalled.redis("HGET", "pn:{g}:hook:1t", first["id"])
    rotated = stored()
    end_lease(stalled)
    answers = [make(server, path, None, "turn") for _ in range(2)]
    assert [a.status for a in answers] == [200, 200] and answers[0].body == answers[1].body and is_replay(answers[1])
    assert answers[0].json()["secret"] != first["secret"] and stored() == rotated


@pytest.mark.parametrize("path", [p for p in ROUTES if p != "/v1/suppressions"])
def test_after_a_5xx_the_same_key_makes_the_thing_once(stalled, path):
    server, (name, body) = stalled.server, new(path)
    transition = {"/v1/keys": "key_make", "/v1/webhooks": "endpoint_put", "/v1/projects": "project_make"}[path]
    stalled.proxy.faults = [Fault("unanswered", transition) for _ in range(1000)]
    answer = make(server, path, body, name)
    assert answer.status == 503, answer
    stalled.proxy.faults = []
    made, = wait_for(lambda: things(server, path, body))
    answer = wait_for(lambda: (a := make(server, path, body, name)).status == 201 and a)
    assert answer.json()["id"] == made["id"] and len(things(server, path, body)) == 1

"""Webhooks as a backend sees them: which events it gets, how often, and which URLs are allowed."""
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import harness, talk
from support.receiver import Receiver, verify


@pytest.fixture
def receiver(stack):
    made = []

    def make(plan=None):
        made.append(Receiver(plan))
        stack.add(made[-1])
        return made[-1]
    return make


@pytest.fixture
def server(make_postern, world):
    return make_postern({**world.settings, "webhook_allow_private": True, "webhook_retry_s": 1, "retry_first_s": 1, "retry_first_otp_s": 1, "retry_max_s": 2})


def hook(server, url, key=None, **fields):
    answer = server.request("POST", "/v1/webhooks", json={"url": url, **fields}, key=key or server.test_key)
    assert answer.status == 201, answer
    return answer.json()


def types(receiver, path=None):
    return [e["type"] for e in receiver.events(path)]


def wait_types(receiver, *want, path=None, timeout=20):
    harness.wait_for(lambda: set(want) <= set(types(receiver, path)), timeout, what=f"{want}, not {types(receiver, path)}")


# ---- events ----

def test_each_event_is_sent_once_signed_with_the_secret_that_was_shown(server, receiver):
    r = receiver()
    made = hook(server, r.url())
    assert made["events"] == ["*"] and made["enabled"] is True and made["secret"].startswith("whsec_")
    id = server.deliver("told@hook.test", tags=["a"], metadata={"order": "7"})["id"]
    wait_types(r, "message.queued", "message.delivered")
    for request in r.requests():
        assert verify(request, made["secret"]) == 1
        assert request["headers"]["Content-Type"] == "application/json"
        assert request["headers"]["User-Agent"].startswith("Postern/")
    queued, delivered = sorted(r.events(), key=lambda e: e["sequence"])
    assert [queued["sequence"], delivered["sequence"]] == [1, 2]
    assert delivered["data"]["message_id"] == id and delivered["data"]["recipient"] == "told@hook.test"
    assert delivered["data"]["metadata"] == {"order": "7"} and delivered["data"]["tags"] == ["a"]
    assert delivered["mode"] == "test" and delivered["data"]["reply"]["code"] == 250
    assert {request["headers"]["webhook-id"] for request in r.requests()} == {queued["id"], delivered["id"]}
    shown = server.request("GET", f"/v1/messages/{id}/events").json()["data"]
    assert [e["id"] for e in shown] == [queued["id"], delivered["id"]]
    assert [{**e, "cursor": None} for e in (queued, delivered)] == [{**e, "cursor": None} for e in shown]
    time.sleep(0.5)
    assert len(r.events()) == 2


def test_every_final_state_of_a_recipient_is_sent(server, receiver, world):
    r, live = receiver(), server.live_key
    hook(server, r.url(), key=live)
    ends = {"ok-hook@d15.test": "delivered", "rcpt550-hook@d15.test": "bounced", "rcpt450-hook@d15.test": "deferred",
            "dot554-hook@d15.test": "bounced"}
    for to in ends:
        assert server.send(to, key=live).status == 202
    server.request("POST", "/v1/suppressions", json={"email": "no@d15.test"}, key=live)
    assert server.send("no@d15.test", key=live).status == 202
    id = server.send("rcpt451-cancel@d15.test", key=live).json()["id"]
    server.wait_status(id, "deferred", live)
    assert server.request("POST", f"/v1/messages/{id}/cancel", key=live).status == 200

    want = {**ends, "no@d15.test": "suppressed", "rcpt451-cancel@d15.test": "canceled"}
    told = lambda: {(e["data"]["recipient"], e["data"]["status"]) for e in r.events() if "recipient" in e["data"]}
    harness.wait_for(lambda: want.items() <= told(), 20, what=f"{want}, not {told()}")


def test_an_endpoint_gets_the_events_of_its_filter_since_its_creation(server, receiver):
    server.deliver("before@hook.test")
    r = receiver()
    hook(server, r.url("/all"), events=["message.*"])
    hook(server, r.url("/done"), events=["message.delivered", "message.bounced"])
    hook(server, r.url("/off"), enabled=False)
    server.deliver("after@hook.test")
    wait_types(r, "message.delivered", path="/done")
    wait_types(r, "message.queued", "message.delivered", path="/all")
    assert types(r, "/done") == ["message.delivered"] and types(r, "/off") == []
    assert {e["data"].get("recipient", "after@hook.test") for e in r.events()} == {"after@hook.test"}


def test_the_event_log_can_be_polled(server):
    ids = [server.deliver(f"log{i}@hook.test", tags=[f"t{i % 2}"])["id"] for i in range(6)]
    seen, after = [], ""
    while True:
        page = server.request("GET", f"/v1/events?limit=5{after}").json()
        seen += page["data"]
        if not page["data"]:
            break
        assert page["next_cursor"] == page["data"][-1]["cursor"]
        after = f"&cursor={page['next_cursor']}"
    assert len(seen) == 12 and len({e["id"] for e in seen}) == 12
    assert [e["data"]["message_id"] for e in seen if e["type"] == "message.queued"] == ids
    new = server.deliver("log9@hook.test")["id"]
    assert [e["data"]["message_id"] for e in server.request("GET", f"/v1/events?{after[1:]}").json()["data"]] == [new, new]
    tagged = server.request("GET", "/v1/events?type=message.del*&tag=t1&limit=100").json()["data"]
    assert [e["data"]["message_id"] for e in tagged] == ids[1::2]
    for query in ("cursor=x", "cursor=1.2", "cursor=5_", "cursor=5_0_", "cursor=5_0.0", "type=message.sent", "limit=0", "cursor=1.2.3", "tpye=x", "after=x"):
        assert server.request("GET", "/v1/events?" + query).status == 400, query


# ---- retries ----

def test_a_failure_is_tried_again_with_the_same_id_and_a_new_timestamp(server, receiver):
    r = receiver(lambda path, n: 500 if n <= 2 else 200)
    made = hook(server, r.url(), events=["message.delivered"])
    server.deliver("again@hook.test")
    harness.wait_for(lambda: len(r.requests()) == 1, 10)
    first = r.requests()[0]
    # 1 s, then 60 s (5 s and 5 min, in proportion): the second failure is seen in the list
    harness.wait_for(lambda: len(r.requests()) == 2, 20)
    second = r.requests()[1]
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"] and first["body"] and verify(second, made["secret"])
    bodies = [json.loads(g["body"]) for g in (first, second)]
    cursors = [body.pop("cursor") for body in bodies]
    assert bodies[0] == bodies[1]
    after = [server.request("GET", "/v1/events?cursor=" + cursor).json()["data"] for cursor in cursors]
    assert [e["id"] for e in after[0]] == [e["id"] for e in after[1] if e["id"] != bodies[0]["id"]]
    failed = harness.wait_for(lambda: (d := server.request("GET", f"/v1/webhooks/{made['id']}/deliveries?failed=true").json()["data"])
                              and len(d) == 2 and d, 10)
    assert [d["attempt"] for d in failed] == [2, 1] and failed[0]["response_status"] == 500 and failed[0]["response_excerpt"] == "ok"
    assert failed[0]["event_id"] == first["headers"]["webhook-id"] and failed[0]["next_attempt_at"] > failed[0]["attempted_at"]
    # A delivered event shows that the receiver is back: waiting events are sent soon, not after their minute.
    server.deliver("through@hook.test")
    harness.wait_for(lambda: len(r.requests()) == 4, 15)
    assert sorted(g["headers"]["webhook-id"] for g in r.requests()).count(first["headers"]["webhook-id"]) == 3


def test_retry_after_is_obeyed_and_a_redirect_is_a_failure(server, receiver):
    r = receiver(lambda path, n: (302, {"Location": r.url("/elsewhere")}, b"") if path == "/moved"
                 else (503, {"Retry-After": "3"}, b"") if n == 1 else 200)
    hook(server, r.url("/busy"), events=["message.delivered"])
    moved = hook(server, r.url("/moved"), events=["message.delivered"])
    server.deliver("later@hook.test")
    harness.wait_for(lambda: len(r.requests("/busy")) == 2, 20)
    first, second = r.requests("/busy")
    assert second["time"] - first["time"] >= 2.9
    assert r.requests("/elsewhere") == []
    last = server.request("GET", f"/v1/webhooks/{moved['id']}/deliveries").json()["data"][0]
    assert last["response_status"] == 302 and last["next_attempt_at"]


def test_a_410_disables_and_enabling_continues_at_the_same_event(server, receiver):
    r = receiver(lambda path, n: 410 if n == 1 else 200)
    made = hook(server, r.url(), events=["message.delivered"])
    server.deliver("gone1@hook.test")
    shown = harness.wait_for(lambda: not (s := server.request("GET", f"/v1/webhooks/{made['id']}").json())["enabled"] and s, 10)
    assert "410" in shown["disabled_reason"] and shown["created_at"] < shown["disabled_at"]
    server.deliver("gone2@hook.test")
    time.sleep(0.7)
    assert len(r.requests()) == 1
    enabled = server.request("PATCH", f"/v1/webhooks/{made['id']}", json={"enabled": True}).json()
    assert enabled["enabled"] is True and "disabled_at" not in enabled and "disabled_reason" not in enabled
    off, still = [server.request("PATCH", f"/v1/webhooks/{made['id']}", json={"enabled": False}).json() for _ in range(2)]
    assert off["disabled_at"] == still["disabled_at"]
    server.request("PATCH", f"/v1/webhooks/{made['id']}", json={"enabled": True})
    harness.wait_for(lambda: {e["data"]["recipient"] for e in r.events()[1:]} == {"gone1@hook.test", "gone2@hook.test"}, 10)


def test_an_event_that_is_refused_again_and_again_keeps_its_later_tries(server, receiver):
    """The success of other events brings its next try forward a few times, but not up to its last try."""
    poison = []

    def plan(path, n):
        last = r.requests()[-1]["body"]
        return 500 if b"poison@" in last else 200
    r = receiver(plan)
    made = hook(server, r.url(), events=["message.delivered"])
    server.deliver("poison@hook.test")
    for i in range(25):
        server.deliver(f"fine{i}@hook.test")
        time.sleep(0.15)
    harness.wait_for(lambda: sum(b"fine" in g["body"] for g in r.requests()) >= 25, 10)
    poison = [g for g in r.requests() if b"poison@" in g["body"]]
    assert 2 <= len(poison) <= 4, len(poison)
    failed = server.request("GET", f"/v1/webhooks/{made['id']}/deliveries?failed=true").json()["data"]
    assert failed[0]["next_attempt_at"] is not None


def test_a_410_to_a_retry_loses_no_event(server, receiver):
    r = receiver(lambda path, n: {1: 500, 2: 410}.get(n, 200))
    made = hook(server, r.url(), events=["message.delivered"])
    server.deliver("twice-gone@hook.test")
    harness.wait_for(lambda: not server.request("GET", f"/v1/webhooks/{made['id']}").json()["enabled"], 15)
    server.request("PATCH", f"/v1/webhooks/{made['id']}", json={"enabled": True})
    harness.wait_for(lambda: len(r.requests()) == 3, 20)
    assert len({g["headers"]["webhook-id"] for g in r.requests()}) == 1


def hurry(server, id, until):
    """Brings the next try of waiting events forward, again and again, because the last try is three days away."""
    def claim():
        with harness.RedisClient(server.redis_socket) as r:
            for member in r("ZRANGE", f"pn:{{g}}:hr:{id}", 0, -1):
                r("ZADD", f"pn:{{g}}:hr:{id}", "XX", 0, member)
        return until()
    return harness.wait_for(claim, 60, 0.1, "the last try")


def shown(server, id):
    return server.request("GET", f"/v1/webhooks/{id}").json()


def test_an_endpoint_that_always_fails_is_disabled_after_ten_tries_and_continues_when_enabled(server, receiver):
    broken = [True]
    r = receiver(lambda path, n: 500 if broken[0] else 200)
    id = hook(server, r.url(), events=["message.delivered"])["id"]
    server.deliver("dead1@hook.test")
    harness.wait_for(lambda: len(r.requests()) == 1, 10)
    gone = hurry(server, id, lambda: not (s := shown(server, id))["enabled"] and s)
    tries = server.request("GET", f"/v1/webhooks/{id}/deliveries").json()["data"]
    assert [d["attempt"] for d in tries] == list(range(10, 0, -1)) and tries[0]["next_attempt_at"] is None
    assert tries[0]["event_id"] in gone["disabled_reason"] and "500" in gone["disabled_reason"]
    server.deliver("dead2@hook.test")
    time.sleep(0.7)
    assert len(r.requests()) == 10
    broken[0] = False
    assert "disabled_reason" not in server.request("PATCH", f"/v1/webhooks/{id}", json={"enabled": True}).json()
    harness.wait_for(lambda: sorted(e["data"]["recipient"] for e in r.events()[10:]) == ["dead1@hook.test", "dead2@hook.test"], 15)
    last = harness.wait_for(lambda: (d := server.request("GET", f"/v1/webhooks/{id}/deliveries").json()["data"])[11:] and d[:2], 10)
    assert {(d["attempt"], d["response_status"]) for d in last} == {(1, 200)}, "all its tries again"
    assert {e["id"] for e in r.events()[:10]} < {e["id"] for e in r.events()[10:]}


def test_a_single_event_that_fails_ten_times_is_given_up_and_can_be_redelivered(server, receiver):
    broken = [True]
    r = receiver(lambda path, n: (500, {"Retry-After": "3600"}, b"") if broken[0] and b"poison@" in r.requests()[-1]["body"] else 200)
    id = hook(server, r.url(), events=["message.delivered"])["id"]
    server.deliver("poison@hook.test")
    harness.wait_for(lambda: len(r.requests()) == 1, 10)
    server.deliver("fine@hook.test")
    harness.wait_for(lambda: len(r.requests()) >= 2, 10)
    failed = hurry(server, id, lambda: (d := server.request("GET", f"/v1/webhooks/{id}/deliveries?failed=true").json()["data"]) and d[0]["attempt"] == 10 and d)
    time.sleep(1)
    assert shown(server, id)["enabled"] is True and failed[0]["next_attempt_at"] is None
    assert sum(b"poison@" in g["body"] for g in r.requests()) == 10
    path = f"/v1/webhooks/{id}/deliveries/{failed[0]['event_id']}/redeliver"
    for again in (500, 200, 200):       # refused once more; then, and once more of what was delivered
        broken[0] = again == 500
        before = len(r.requests())
        answer = server.request("POST", path)
        assert answer.status == 202 and answer.json() == {"webhook_id": id, "event_id": failed[0]["event_id"]}
        harness.wait_for(lambda: len(r.requests()) == before + 1, 10)
    assert {g["headers"]["webhook-id"] for g in r.requests() if b"poison@" in g["body"]} == {failed[0]["event_id"]}
    harness.wait_for(lambda: server.metric("postern_webhook_retries") == 0, 10, what="the retry of the first is over too")
    time.sleep(1)
    assert len(r.requests()) == before + 1


def test_a_project_that_was_deleted_gets_no_webhook(make_postern, make_redis):
    """An API process may know a key for a second after its project is gone; here the key stays, so the second never ends."""
    redis = make_redis()
    server = make_postern({"webhook_allow_private": True}, redis=redis)
    number, project = redis("HGETALL", "pn:{g}:projects")[:2]
    redis("HSET", "pn:{g}:projects", number, json.dumps({**json.loads(project), "deleted": 1}))
    answer = server.request("POST", "/v1/webhooks", json={"url": "http://127.0.0.1:9/"}, key=server.test_key)
    assert (answer.status, answer.json()["detail"]) == (409, "The project was deleted."), answer
    assert server.request("GET", "/v1/webhooks", key=server.test_key).json()["data"] == []


def test_only_existing_events_can_be_redelivered(server, receiver):
    r = receiver()
    id = hook(server, r.url(), events=["message.bounced"])["id"]
    event = server.request("GET", f"/v1/messages/{server.deliver('hand@hook.test')['id']}/events").json()["data"][1]["id"]
    other = hook(server, r.url(), enabled=False)["id"]
    again = lambda id, event: server.request("POST", f"/v1/webhooks/{id}/deliveries/{event}/redeliver")
    for bad in ("evt_", "evt_" + "0" * 26, event[:-4] + "00ff", event[:-4] + "000G", event.upper(), "x" * 34, "msg_" + event[4:]):
        assert again(id, bad).status == 404, bad
    assert again("whk_" + "0" * 26, event).status == 404
    assert again(other, event).status == 409
    assert r.requests() == []
    assert again(id, event).status == 202
    harness.wait_for(lambda: [e["id"] for e in r.events()] == [event], 10)


def test_a_delivery_is_redelivered_by_its_own_id_while_it_is_listed(server, receiver):
    r = receiver(lambda path, n: 410 if n == 1 else 200)
    id, other = (hook(server, r.url(), events=["message.bounced"], enabled=on)["id"] for on in (True, False))
    listed = lambda of: server.request("GET", f"/v1/webhooks/{of}/deliveries").json()["data"]
    again = lambda of, delivery, **key: server.request("POST", f"/v1/webhooks/{of}/deliveries/{delivery}/redeliver", **key)
    event = server.request("GET", f"/v1/messages/{server.deliver('hand@hook.test')['id']}/events").json()["data"][0]["id"]
    assert again(id, event).status == 202
    first, = harness.wait_for(lambda: listed(id), 10)
    answer = again(id, first["id"])
    assert answer.status == 409 and "disabled" in answer.json()["detail"]
    assert server.request("PATCH", f"/v1/webhooks/{id}", json={"enabled": True}).status == 200
    harness.wait_for(lambda: len(r.requests()) == 2, 10)
    answer = again(id, first["id"])
    assert answer.status == 202 and answer.json() == {"webhook_id": id, "event_id": first["event_id"]}
    harness.wait_for(lambda: [e["id"] for e in r.events()] == [event] * 3, 10)
    for of, delivery in ((id, "dlv_" + "0" * 26), (other, first["id"]), ("whk_" + "0" * 26, first["id"])):
        assert again(of, delivery).status == 404, (of, delivery)
    live = server.create_key("other-mode", test=False)
    assert again(id, first["id"], key=live).status == 404, "the webhook is of the test mode"
    with harness.RedisClient(server.redis_socket) as redis:
        redis("DEL", f"pn:{{g}}:hd:{id}")
        assert again(id, first["id"]).status == 202, "it is still among the failed ones"
        redis("DEL", f"pn:{{g}}:hf:{id}")
    assert again(id, first["id"]).status == 404


def test_a_dead_endpoint_is_disabled_when_its_waiting_events_are_swept(server, receiver):
    r = receiver(lambda path, n: 500)
    id = hook(server, r.url(), events=["message.delivered"])["id"]
    message = server.deliver("swept@hook.test")["id"]
    harness.wait_for(lambda: len(r.requests()) == 1, 10)
    with harness.RedisClient(server.redis_socket) as redis:
        assert redis("DEL", f"pn:{{p0}}:m:{message}") == 1
    gone = hurry(server, id, lambda: not (s := shown(server, id))["enabled"] and s)
    assert "as long as events are kept" in gone["disabled_reason"] and gone["lost"]["from"] == gone["lost"]["until"]


def test_events_swept_while_an_endpoint_was_disabled_do_not_disable_it_again(server, receiver):
    r = receiver(lambda path, n: 500)
    id = hook(server, r.url(), events=["message.delivered"])["id"]
    message = server.deliver("swept@hook.test")["id"]
    harness.wait_for(lambda: server.metric("postern_webhook_retries") == 1, 10)
    server.request("PATCH", f"/v1/webhooks/{id}", json={"enabled": False})
    harness.wait_for(lambda: server.metric("postern_webhook_endpoints") == 0, 10)
    with harness.RedisClient(server.redis_socket) as redis:
        assert redis("DEL", f"pn:{{p0}}:m:{message}") == 1
    server.request("PATCH", f"/v1/webhooks/{id}", json={"enabled": True})
    harness.wait_for(lambda: "lost" in shown(server, id), 10)
    assert shown(server, id)["enabled"] is True and server.metric("postern_webhook_losses_total") == 1


def sweep(server, projects=("1t",)):
    """Trims the log as the keeper does, with a retention of zero."""
    lua = harness.ROOT / "server" / "store" / "lua"
    text = subprocess.run([sys.executable, str(lua / "generate.py"), "show", "sweep"], check=True, capture_output=True, text=True).stdout
    with harness.RedisClient(server.redis_socket) as r:
        r("EVAL", text, 1, "pn:{p0}:", 0, 0, *projects)


def test_events_that_the_retention_deleted_before_delivery_are_reported(make_postern, receiver):
    server = make_postern({"webhook_allow_private": True, "retention_s": 1, "idempotency_s": 1})
    r = receiver()
    id = hook(server, r.url(), events=["message.delivered"])["id"]
    server.deliver("before@lost.test")
    harness.wait_for(lambda: len(r.requests()) == 1, 10)
    time.sleep(1.2)         # its entry is older than the retention, but nothing behind it is
    sweep(server)
    server.deliver("after@lost.test")
    harness.wait_for(lambda: len(r.requests()) == 2, 10)
    assert "lost" not in shown(server, id) and server.metric("postern_webhook_losses_total") == 0

    assert server.request("PATCH", f"/v1/webhooks/{id}", json={"enabled": False}).status == 200
    time.sleep(0.7)
    lost = [server.deliver(f"lost{i}@lost.test")["created_at"] for i in range(2)]
    time.sleep(1.2)
    sweep(server)
    assert server.request("PATCH", f"/v1/webhooks/{id}", json={"enabled": True}).status == 200
    server.deliver("new@lost.test")
    harness.wait_for(lambda: len(r.requests()) == 3, 10)
    assert [e["data"]["recipient"] for e in r.events()] == ["before@lost.test", "after@lost.test", "new@lost.test"]
    stretch = harness.wait_for(lambda: shown(server, id).get("lost"), 10)
    assert stretch["from"] <= lost[0] <= lost[1] <= stretch["until"]
    assert server.metric("postern_webhook_losses_total") == 1
    assert [line["webhook"] for line in server.log_lines() if line.get("fact") == "webhook.events_lost"] == [id]
    assert "lost" not in server.request("PATCH", f"/v1/webhooks/{id}", json={"enabled": True}).json()
    time.sleep(1.2)
    server.deliver("later@lost.test")
    harness.wait_for(lambda: len(r.requests()) == 4, 10)
    assert "lost" not in shown(server, id)


def test_a_hanging_endpoint_delays_no_other_endpoint(server, receiver):
    r = receiver(lambda path, n: 14.0 if path == "/hangs" else 200)
    hook(server, r.url("/hangs"))
    hook(server, r.url("/fast"), events=["message.delivered"])
    for i in range(40):
        assert server.send(f"hang{i}@hook.test").status == 202
    harness.wait_for(lambda: len(r.requests("/fast")) == 40, 12, what="the fast one has all while the other hangs")
    assert len(r.requests("/hangs")) <= 8


def test_many_hanging_endpoints_do_not_delay_a_working_one(server, receiver):
    """Sixty-eight times eight are more requests than may be open at a time. Their projects leave places free."""
    r = receiver(lambda path, n: 40.0 if path == "/hangs" else 200)
    keys = []
    for p in range(4):
        server.cli("project", "create", f"p{p}")
        keys.append(server.create_key("k", project=f"p{p}", test=True))
        for _ in range(17):
            hook(server, r.url("/hangs"), key=keys[-1], events=["message.queued"])
    hook(server, r.url("/fast"), events=["message.queued"])
    harness.wait_for(lambda: server.metric("postern_webhook_endpoints") == 69, 10)
    for key in keys:
        for i in range(8):
            assert server.send(f"hang{i}@hook.test", key=key).status == 202
    harness.wait_for(lambda: len(r.requests("/hangs")) >= 408, 14, what="all that may be under way hang")
    for i in range(5):
        assert server.send(f"fast{i}@hook.test").status == 202
    harness.wait_for(lambda: len(r.requests("/fast")) == 5, 20)
    assert len(r.requests("/hangs")) < 480
    assert server.metric('postern_webhook_attempts_total{result="failed"}') == 0, "none had to end first"


def test_a_hanging_endpoint_delays_no_other_when_the_process_changes(server, receiver):
    r = receiver(lambda path, n: 14.0 if path == "/hangs" else 200)
    hook(server, r.url("/hangs"), events=["message.delivered"])
    hook(server, r.url("/fast"), events=["message.delivered"])
    os.kill(server.process.pid, signal.SIGHUP)
    first = server.deliver("first@hook.test")["id"]
    harness.wait_for(lambda: r.requests("/hangs"), 10)
    harness.wait_for(lambda: any(line["fact"] == "reload.done" for line in server.log_lines()), 20)
    second = server.deliver("second@hook.test")["id"]
    harness.wait_for(lambda: {first, second} == {e["data"]["message_id"] for e in r.events("/fast")}, 10,
                     what="the fast one hears of it while the other hangs")
    harness.wait_for(lambda: {first, second} == {e["data"]["message_id"] for e in r.events("/hangs")}, 30)


@pytest.mark.parametrize("plan,want", [
    ((200, {}, b"x" * 300_000), "delivered"),
    ((204, {"Content-Length": "0"}, b""), "delivered"),
    ((200, {"Content-Length": "10"}, b"cut"), "delivered"),
    ((200, {"X-Long": "y" * 90_000}, b""), "failed"),
    (201, "delivered"),
    ((200, {}, b"x" * 5_000_000), "delivered"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "delivered"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "delivered"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "delivered"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "delivered"),
    (b"HTTP/1.1 500 Broken\r\nContent-Length: 5\r\n\r\n", "failed"),
    (b"HTTP/1.1 200 OK\r\nContent-Le", "failed"),
    (b"HTTP/1.1 100 Continue\r\n\r\n", "failed"),
    (b"", "failed"),
    (b"PRI * HTTP/2.0\r\n\r\n", "failed"),
    (b"\x15\x03\x01\x00\x02\x02\x28", "failed"),
    ((200, {}, bytes(range(256))), "delivered"),
    ((500, {}, b"\0"), "failed"),
], ids=["large", "empty", "cut", "endless-header", "created", "5-MB", "continue", "reset-after-header", "reset-in-body", "reset-in-chunk",
        "reset-after-500", "reset-in-header", "reset-after-100", "reset-at-once", "http2", "tls-alert", "every-octet", "a-NUL"])
def test_each_odd_response_is_handled(server, receiver, plan, want):
    def plan_of(path, n):
        return plan
    r = receiver(plan_of)
    made = hook(server, r.url(), events=["message.delivered"])
    server.deliver("odd@hook.test")
    path = f"/v1/webhooks/{made['id']}/deliveries"
    delivery = harness.wait_for(lambda: (d := server.request("GET", path).json()["data"]) and d, 20)[0]
    assert (200 <= (delivery["response_status"] or 0) < 300) == (want == "delivered"), delivery
    assert len(delivery["response_excerpt"]) <= 500
    assert delivery["response_status"] or delivery["error"]


# ---- crashes ----

def test_a_killed_hooks_process_loses_nothing(server, receiver):
    r = receiver()
    hook(server, r.url(), events=["message.delivered"])
    ids = set()
    for i in range(60):
        ids.add(server.send(f"kill{i}@hook.test").json()["id"])
        if i % 15 == 10:
            for pid in server.children("hooks"):
                os.kill(pid, signal.SIGKILL)
    # The lease of a process that was killed runs out by time.
    harness.wait_for(lambda: ids == {e["data"]["message_id"] for e in r.events()}, 60)
    by_message = {}
    for e in r.events():
        by_message.setdefault(e["data"]["message_id"], set()).add(e["id"])
    assert all(len(event_ids) == 1 for event_ids in by_message.values())


def test_a_process_that_ends_leaves_hanging_deliveries_to_the_next_at_once(make_redis, make_postern, receiver):
    redis = make_redis()
    r = receiver(lambda path, n: 14.0 if n == 1 else 200)
    first = make_postern({"webhook_allow_private": True}, redis=redis)
    hook(first, r.url(), events=["message.delivered"])
    id = first.deliver("hangs@hook.test")["id"]
    harness.wait_for(lambda: len(r.requests()) == 1, 10)
    second = make_postern({"webhook_allow_private": True, "roles": "api,hooks"}, redis=redis, keys=False)
    owner = redis("GET", "pn:{g}:hooks_lease")
    first.stop()
    assert owner and redis("GET", "pn:{g}:hooks_lease") != owner
    harness.wait_for(lambda: len(r.requests()) == 2, 10)
    assert {e["data"]["message_id"] for e in r.events()} == {id} and len({e["id"] for e in r.events()}) == 1
    assert second.children("hooks")


def test_an_outage_of_redis_loses_no_webhook(make_redis, make_postern, receiver):
    redis = make_redis()
    server = make_postern({"webhook_allow_private": True}, redis=redis)
    r = receiver()
    hook(server, r.url(), events=["message.delivered"])
    before = server.deliver("away1@hook.test")["id"]
    redis.kill()
    time.sleep(1)
    redis.start()
    server.wait_ready()
    after = server.deliver("away2@hook.test")["id"]
    harness.wait_for(lambda: {before, after} == {e["data"]["message_id"] for e in r.events()}, 30)


def test_webhooks_continue_after_a_restart(make_postern, receiver):
    r = receiver(lambda path, n: 503 if n <= 1 else 200)
    server = make_postern({"webhook_allow_private": True, "webhook_retry_s": 3})
    hook(server, r.url(), events=["message.delivered"])
    id = server.deliver("restart@hook.test")["id"]
    harness.wait_for(lambda: len(r.requests()) == 1, 10)
    time.sleep(0.5)
    server.stop()
    server.start()
    harness.wait_for(lambda: len(r.requests()) == 2, 20)
    assert {e["data"]["message_id"] for e in r.events()} == {id} and len({e["id"] for e in r.events()}) == 1


# ---- managing ----

def test_endpoints_are_listed_changed_rotated_and_deleted(server, receiver):
    r = receiver()
    made = hook(server, r.url("/a"), description="shop")
    path = f"/v1/webhooks/{made['id']}"
    assert "secret" not in server.request("GET", path).json()
    assert server.request("GET", "/v1/webhooks").json()["data"] == [server.request("GET", path).json()]
    changed = server.request("PATCH", path, json={"url": r.url("/b"), "events": ["message.delivered"]}).json()
    assert changed["url"] == r.url("/b") and changed["description"] == "shop" and "secret" not in changed
    rotated = server.request("POST", path + "/rotate").json()
    assert rotated["secret"] != made["secret"]
    time.sleep(1)
    server.deliver("rotated@hook.test")
    wait_types(r, "message.delivered", path="/b")
    request, = r.requests("/b")
    assert verify(request, rotated["secret"]) == 2 and verify(request, made["secret"]) == 2
    assert r.requests("/a") == []
    assert server.request("DELETE", path).status == 204
    assert server.request("GET", path).status == 404 and server.request("DELETE", path).status == 404
    time.sleep(1)
    server.deliver("deleted@hook.test")
    time.sleep(0.7)
    assert len(r.requests("/b")) == 1


def test_changes_at_the_same_time_all_succeed(server):
    id = hook(server, "https://x.example/", enabled=False)["id"]
    # Each that loses a round loses it to another that is done: fewer than a hundred.
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: server.request("PATCH", f"/v1/webhooks/{id}", json={"description": str(i)}) if i % 4
                                else server.request("POST", f"/v1/webhooks/{id}/rotate"), range(48)))
    assert {a.status for a in answers} == {200}


def test_a_deleted_endpoint_gets_nothing_and_leaves_nothing_in_the_store(server, receiver):
    answers = [500]
    r = receiver(lambda path, n: answers[0])
    id = hook(server, r.url(), events=["message.delivered"])["id"]
    for i in range(3):      # wait for another try
        server.deliver(f"deleted{i}@hook.test")
    harness.wait_for(lambda: server.metric("postern_webhook_retries") >= 1, 10)
    answers[0] = 1.5
    for i in range(30):     # are under way, or wait for their turn
        assert server.send(f"backlog{i}@hook.test").status == 202
    harness.wait_for(lambda: any(b"backlog" in g["body"] for g in r.requests()), 10)
    assert server.request("DELETE", f"/v1/webhooks/{id}").status == 204
    harness.wait_for(lambda: server.metric("postern_webhook_endpoints") == 0, 10)
    before = len(r.requests())
    assert before < 33
    time.sleep(2.5)         # what was under way ends, and leaves nothing in the store
    assert len(r.requests()) == before
    with harness.RedisClient(server.redis_socket) as redis:
        assert [key for key in redis("KEYS", "pn:*") if id.encode() in key] == []


def test_a_test_delivery_returns_its_result(server, receiver):
    r = receiver(lambda path, n: 200 if path == "/good" else (500, {}, b"broken \xff here"))
    good, bad = hook(server, r.url("/good")), hook(server, r.url("/bad"))
    result = server.request("POST", f"/v1/webhooks/{good['id']}/test").json()
    assert result["response_status"] == 200 and result["type"] == "webhook.test" and result["duration_ms"] >= 0
    request, = r.requests("/good")
    assert verify(request, good["secret"]) and request["headers"]["webhook-id"] == result["event_id"]
    result = server.request("POST", f"/v1/webhooks/{bad['id']}/test").json()
    assert result["response_status"] == 500 and result["response_excerpt"] == "broken \ufffd here" and result["next_attempt_at"] is None
    server.request("PATCH", f"/v1/webhooks/{good['id']}", json={"enabled": False})
    assert server.request("POST", f"/v1/webhooks/{good['id']}/test").status == 409


def test_many_tests_of_a_receiver_that_hangs_are_bounded_and_delay_no_events(server, receiver):
    held, lock, seen = threading.Event(), threading.Lock(), {"now": 0, "most": 0}

    def plan(path, n):
        if path == "/hangs":
            with lock:
                seen["now"] += 1
                seen["most"] = max(seen.values())
            held.wait(12)
            with lock:
                seen["now"] -= 1
        return 200
    r = receiver(plan)
    hung = hook(server, r.url("/hangs"), events=["message.held"])
    hook(server, r.url("/fine"))
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(server.request, "POST", f"/v1/webhooks/{hung['id']}/test") for _ in range(40)]
        harness.wait_for(lambda: sum(a.done() for a in asked) >= 40 - 12, 10, what="refusals")
        refused = [a.result() for a in asked if a.done()]
        server.deliver("beside@hook.test")
        wait_types(r, "message.delivered", path="/fine", timeout=10)
        assert len(r.requests("/hangs")) == seen["most"] == 2
        held.set()
        rest = [a.result() for a in asked if a.result() not in refused]
    for answer in refused:
        assert answer.status == 409 and answer.json()["type"] == "/problems/conflict" and "Too many tests" in answer.json()["detail"]
    assert len(rest) <= 12 and {answer.status for answer in rest} == {200} and seen["most"] == 2


def test_a_webhook_can_be_tested_as_soon_as_it_is_made_or_enabled(server, receiver):
    r = receiver()
    hook(server, r.url("/known"))
    server.deliver("known@hook.test")
    wait_types(r, "message.delivered", path="/known")
    for i in range(8):                      # what the hooks process knows is up to half a second old
        made = hook(server, r.url(f"/new{i}"))
        assert server.request("POST", f"/v1/webhooks/{made['id']}/test").status == 200
    for enabled in (False, True):
        server.request("PATCH", f"/v1/webhooks/{made['id']}", json={"enabled": enabled})
        time.sleep(0 if enabled else 1)
    assert server.request("POST", f"/v1/webhooks/{made['id']}/test").status == 200


@pytest.mark.parametrize("body,pointer", [
    ({}, "/url"), ({"url": 1}, "/url"), ({"url": "ftp://x.example/"}, "/url"), ({"url": "https://x.example/", "evnts": []}, "/evnts"),
    ({"url": "https://x.example/", "events": []}, "/events"), ({"url": "https://x.example/", "events": ["message.sent"]}, "/events/0"),
    ({"url": "https://u:p@x.example/"}, "/url"), ({"url": "https://x.example/#a"}, "/url"), ({"url": "https://x.example/a b"}, "/url"),
    ({"url": "https://x.example/", "description": "a\nb"}, "/description"), ({"url": "https://x.example/", "enabled": "yes"}, "/enabled")])
def test_bad_endpoints_are_refused(server, body, pointer):
    answer = server.request("POST", "/v1/webhooks", json=body)
    assert answer.status == 422, answer
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


def test_a_project_has_at_most_twenty(server):
    for i in range(20):
        hook(server, f"https://x{i}.example/hook", enabled=False)
    answer = server.request("POST", "/v1/webhooks", json={"url": "https://x.example/"})
    assert answer.status == 409 and "20" in answer.json()["detail"]


def test_webhooks_of_another_project_are_not_found(postern):
    made = postern.request("POST", "/v1/webhooks", json={"url": "https://x.example/", "enabled": False}).json()
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/test"), ("GET", "/deliveries")):
        answer = postern.request(method, f"/v1/webhooks/{made['id']}{path}", key=postern.other_key, json={} if method == "PATCH" else None)
        assert answer.status == 404, (method, path, answer)
    assert postern.request("GET", "/v1/webhooks", key=postern.other_key).json()["data"] == []
    assert postern.request("DELETE", f"/v1/webhooks/{made['id']}").status == 204


# ---- allowed URLs ----

PRIVATE = ["http://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://0.0.0.0/", "https://169.254.169.254/latest", "https://10.1.2.3/",
           "https://[::ffff:169.254.169.254]/", "https://[::ffff:a9fe:a9fe]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
           "https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://localhost/", "https://localhost./", "https://foo@127.0.0.1/",
           "https://100.64.0.1/", "https://[fd00::1]/", "https://metadata.google.internal/", "https://x.example:6379/", "https://x.example:25/",
           "file:///etc/passwd", "gopher://x.example/", "https://x.example%00.test/", "https://x.example\\@127.0.0.1/", "//x.example/", "https:///"]


@pytest.mark.parametrize("url", PRIVATE)
def test_a_private_url_is_refused_when_it_is_saved(postern, url):
    answer = postern.request("POST", "/v1/webhooks", json={"url": url})
    assert answer.status == 422 and answer.json()["errors"][0]["pointer"] == "/url", answer


def test_a_private_address_is_refused_when_connecting(make_redis, make_postern, receiver):
    """The URL was saved where it was allowed; the process that delivers does not allow it."""
    redis, r = make_redis(), receiver()
    server = make_postern({"webhook_allow_private": True, "roles": "api,relay,keeper"}, redis=redis)
    made = [hook(server, r.url()), hook(server, f"http://localhost:{r.port}/name")]
    make_postern({"roles": "api,hooks", "webhook_retry_s": 300}, redis=redis, keys=False)
    server.deliver("ssrf@hook.test")
    for m in made:
        delivery = harness.wait_for(lambda: (d := server.request("GET", f"/v1/webhooks/{m['id']}/deliveries").json()["data"]) and d, 20)[0]
        assert delivery["response_status"] is None and "private" in delivery["error"], delivery
    assert r.requests() == []


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return talk.Certificates(tmp_path_factory.mktemp("certificates"))


def old_tls(certificates):
    context = certificates.context("ok")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_the_certificate_of_an_endpoint_must_be_valid(make_postern, stack, certificates):
    """Each that fails says why; nothing of the event was sent."""
    server = make_postern({"webhook_allow_private": True, "webhook_retry_s": 300, "webhook_ca_file": certificates.ca_file})
    cases = {"ok": None, "wrongname": "match", "address": "match", "expired": "expired", "self": "self-signed", "old": "version"}
    hooks = {}
    for name in cases:
        r = Receiver(tls=old_tls(certificates) if name == "old" else certificates.context(name))
        stack.add(r)
        hooks[name] = r, hook(server, f"https://localhost:{r.port}/")["id"]
    server.deliver("tls@hook.test")
    for name, why in cases.items():
        r, id = hooks[name]
        last = harness.wait_for(lambda: server.request("GET", f"/v1/webhooks/{id}/deliveries").json()["data"], 20, what=name)[0]
        assert (last["response_status"] == 200) == (why is None) == (r.requests() != []), (name, last)
        assert why is None or why in last["error"], (name, last)


def test_a_certificate_of_an_unknown_authority_is_refused(make_postern, stack, certificates):
    server, r = make_postern({"webhook_allow_private": True, "webhook_retry_s": 300}), Receiver(tls=certificates.context("ok"))
    stack.add(r)
    id = hook(server, f"https://localhost:{r.port}/")["id"]
    server.deliver("tls@hook.test")
    last = harness.wait_for(lambda: server.request("GET", f"/v1/webhooks/{id}/deliveries").json()["data"], 20)[0]
    assert last["response_status"] is None and "certificate" in last["error"] and r.requests() == []


# ---- secrets ----

def test_a_webhook_secret_is_stored_nowhere_in_clear(make_redis, make_postern, receiver):
    redis = make_redis()
    server = make_postern({"webhook_allow_private": True, "log_level": "debug"}, redis=redis)
    made = hook(server, receiver().url())
    server.deliver("secret@hook.test")
    raw = made["secret"].removeprefix("whsec_")
    dump = subprocess.run(["grep", "-rFl", "--", raw, str(redis.directory), str(server.directory)], capture_output=True, text=True)
    assert dump.stdout == "", dump.stdout


def test_a_shared_redis_without_postern_secret_refuses_webhooks(make_redis, make_postern):
    server = make_postern({"secret": None}, redis=make_redis())
    answer = server.request("POST", "/v1/webhooks", json={"url": "https://x.example/"})
    assert answer.status == 503 and answer.json()["code"] == "not_configured" and "POSTERN_SECRET" in answer.json()["detail"]
    assert "Retry-After" not in answer.headers, "to try again does not help"


def pages(server, path):
    """All items of a list, read two at a time."""
    items, url = [], f"{path}{'&' if '?' in path else '?'}limit=2"
    while url:
        answer = server.request("GET", url)
        page = answer.json()
        assert len(page["data"]) <= 2 and (page["next_cursor"] is None) == ("Link" not in answer.headers)
        items += page["data"]
        url = page["next_cursor"] and f"{path}{'&' if '?' in path else '?'}limit=2&cursor={page['next_cursor']}"
    return items


def test_webhooks_and_their_deliveries_are_listed_by_page(server, receiver):
    r = receiver()
    ids = [hook(server, r.url(), events=["message.delivered"], enabled=i == 4)["id"] for i in range(5)]
    assert [e["id"] for e in pages(server, "/v1/webhooks")] == sorted(ids, reverse=True)     # an id sorts by its ms
    for i in range(5):
        server.deliver(f"page{i}@hook.test")
    whole = harness.wait_for(lambda: (d := server.request("GET", f"/v1/webhooks/{ids[4]}/deliveries").json()["data"]) and len(d) == 5 and d, 10)
    assert pages(server, f"/v1/webhooks/{ids[4]}/deliveries") == whole
    assert pages(server, f"/v1/webhooks/{ids[4]}/deliveries?failed=true") == []
    assert server.request("GET", f"/v1/webhooks/{ids[4]}/deliveries?cursor=dlv_{'0' * 26}").json()["data"] == []
    for query in ("limit=0", "foo=1", "cursor=%20", "cursor=key_1"):
        assert server.request("GET", "/v1/webhooks?" + query).status == 400, query

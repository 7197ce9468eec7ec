"""A store of four partitions works like a store of one."""
import hashlib
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from support import harness
from support.harness import RedisClient
from support.receiver import Receiver

N = 4


@pytest.fixture
def server(make_postern, world):
    return make_postern({**world.settings, "partitions": N, "webhook_allow_private": True, "webhook_retry_s": 1, "retry_first_s": 3600, "retry_max_s": 3600})


@pytest.fixture(scope="module")
def partitioned(tmp_path_factory):
    """One for tests that leave nothing behind."""
    server = harness.Postern(tmp_path_factory.mktemp("partitioned"), {"partitions": N}).start().make_keys()
    yield server
    server.stop()


def partition(id):
    """The last two characters of an id name it."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return alphabet.index(id[-2]) * 32 + alphabet.index(id[-1])


def send_to_all(server, to, key=None, **fields):
    """One message a partition: {partition: id}."""
    ids = {}
    while len(ids) < N:
        answer = server.send(to, key=key or server.test_key, **fields)
        assert answer.status == 202, answer
        ids.setdefault(partition(answer.json()["id"]), answer.json()["id"])
        assert len(ids) < 100
    return ids


def send_in_order(server, n, make):
    """n messages, no two of the same ms: their order is known."""
    ids = []
    for i in range(n):
        to, fields = make(i)
        ids.append(server.send(to, **fields).json()["id"])
        time.sleep(0.002)
    for id in ids:
        server.wait_terminal(id)
    assert len({partition(id) for id in ids}) >= N
    return ids


def listed_in(server, address, mode="live"):
    with RedisClient(server.redis_socket) as r:
        return [r("HEXISTS", f"pn:{{p{p}}}:sup:{'1t' if mode == 'test' else '1'}", address) for p in range(N)]


# ---- sending ----

def test_mail_of_every_partition_arrives_and_a_key_names_one_message(server, world):
    live = server.live_key
    ids = send_to_all(server, "ok-every@d17.test", live)
    for id in ids.values():
        assert server.wait_terminal(id, key=live)["status"] == "delivered"
        attempt, = server.request("GET", f"/v1/messages/{id}/attempts", key=live).json()["data"]
        assert [r["status"] for r in attempt["recipients"]] == ["delivered"]
    for i in range(12):
        headers = {"Idempotency-Key": f"key-{i}"}
        first, again = (server.send(f"ok-once{i}@d17.test", key=live, http_headers=headers) for _ in range(2))
        assert again.body == first.body and again.headers["Idempotent-Replayed"] == "true"
        ids[partition(first.json()["id"])] = first.json()["id"]
        server.wait_terminal(first.json()["id"], key=live)
        assert len(world.sink.taken(f"ok-once{i}@d17.test")) == 1
    assert server.send("ok-other@d17.test", key=live, http_headers=headers).status == 422


def test_cancel_and_retry_find_their_partition(server, world):
    live = server.live_key
    for id in send_to_all(server, "rcpt450-cancel@d18.test", live).values():
        server.wait_status(id, "deferred", live)
        assert server.request("POST", f"/v1/messages/{id}/cancel", key=live).json()["status"] == "canceled"
    for p in range(N):
        id = server.send(f"first1fail-again{p}@d18.test", key=live).json()["id"]
        server.wait_status(id, "deferred", live)
        assert server.request("POST", f"/v1/messages/{id}/retry", key=live).status == 200
        assert server.wait_terminal(id, key=live)["status"] == "delivered"


def test_the_inbox_has_the_test_mail_of_every_partition(server):
    sent = set(send_to_all(server, "box@inbox.test").values())
    got = harness.wait_for(lambda: (d := server.request("GET", "/v1/test/inbox?to=box@inbox.test&wait=5s&limit=100").json()["data"])
                           and sent <= {m["message_id"] for m in d} and d, 20)
    assert len(got) >= N


def test_a_revoked_key_is_refused_whatever_the_partition(server):
    key = server.create_key("short", test=True)
    assert server.send("key@list.test", key=key).status == 202
    server.cli("key", "revoke", server.key_id(key))
    harness.wait_for(lambda: {server.send("key@list.test", key=key, http_headers={"Idempotency-Key": f"r{i}"}).status for i in range(8)} == {401}, 5)


def test_gauges_cover_all_partitions(server, world):
    live = server.live_key
    ids = [server.send("rcpt450-count@d19.test", key=live).json()["id"] for _ in range(12)]
    assert {partition(id) for id in ids} != {0}
    for id in ids:
        server.wait_status(id, "deferred", live)
    harness.wait_for(lambda: server.metric('postern_queue_jobs{where="due"}') == 12, 15, what="12 jobs are due later")
    assert server.metric("postern_messages_accepted_total") == 12
    with RedisClient(server.redis_socket) as r:
        late = [(p, ref) for p in range(N) for ref in r("ZRANGE", f"pn:{{p{p}}}:due", 0, -1)]
        assert len(late) == 12


def test_everything_is_there_after_a_restart(server, world):
    live = server.live_key
    waits = send_to_all(server, "first1fail-restart@d19.test", live)
    for id in waits.values():
        server.wait_message(id, lambda m: m["recipients"][0]["status"] in ("deferred", "delivered"), live)
    shown = {id: server.message(id, live) for id in waits.values()}
    events, cursor = read_log(server, key=live)
    server.stop()
    server.start()
    assert {id: server.message(id, live) for id in waits.values()} == shown
    assert read_log(server, cursor, key=live) == ([], cursor) and keys(read_log(server, key=live)[0]) == keys(events)
    for id in waits.values():
        server.request("POST", f"/v1/messages/{id}/retry", key=live)
        assert server.wait_terminal(id, key=live)["status"] == "delivered"


def test_many_partitions_work_too(make_postern, world):
    """More of them than a site remembers slots of."""
    server = make_postern({**world.settings, "partitions": 40})
    ids = [server.send(f"ok-many{i}@d{20 + i % 5}.test", key=server.live_key).json()["id"] for i in range(120)]
    assert len({partition(id) for id in ids}) > 20
    for id in ids:
        assert server.wait_terminal(id, key=server.live_key, timeout=40)["status"] == "delivered"


@pytest.mark.parametrize("first,then", [(4, 1), (1, 4)])
def test_a_store_keeps_its_number_of_partitions_whatever_the_setting(make_postern, make_redis, first, then):
    redis = make_redis()
    make_postern({"partitions": first}, redis=redis).stop()
    server = make_postern({"partitions": then}, redis=redis)
    assert server.cli("partitions").stdout == f"partitions: {first}\n"
    hints = [line for line in server.log_lines() if line.get("fact") == "store.fewer_partitions"]
    assert bool(hints) == (then > first)
    assert all(line["partitions"] == first and line["setting"] == then for line in hints)
    server.deliver("a@b.example")


# ---- suppressions ----

def test_a_bounce_suppresses_in_every_partition_and_a_removal_frees_in_every_one(server):
    live, gone = server.live_key, "rcpt550-gone@d16.test"
    id = server.send(gone, key=live).json()["id"]
    assert server.wait_terminal(id, key=live)["status"] == "bounced"
    harness.wait_for(lambda: listed_in(server, gone) == [1] * N, what="the bounce is known everywhere")
    for id in send_to_all(server, gone, live).values():
        assert server.message(id, live)["status"] == "suppressed"
    shown = server.request("GET", f"/v1/suppressions/{gone}", key=live).json()
    assert shown["reason"] == "bounce" and server.request("GET", "/v1/suppressions", key=live).json()["data"] == [shown]
    assert server.request("DELETE", f"/v1/suppressions/{gone}", key=live).status == 204
    assert listed_in(server, gone) == [0] * N
    assert server.wait_terminal(server.send(gone, key=live).json()["id"], key=live)["status"] == "bounced"


def test_the_next_keeper_copies_bounces_of_the_time_without_a_keeper(make_postern, world, make_redis):
    redis = make_redis()
    settings = {**world.settings, "partitions": N}
    server = make_postern({**settings, "roles": "api,relay"}, redis=redis)
    gone, live = "rcpt550-alone@d16.test", server.live_key
    id = server.send(gone, key=live).json()["id"]
    assert server.wait_terminal(id, key=live)["status"] == "bounced"
    assert listed_in(server, gone) == [int(p == partition(id)) for p in range(N)]
    make_postern({**settings, "roles": "keeper", "listen": f"127.0.0.1:{harness.free_port()}"}, redis=redis, start=False).launch()
    harness.wait_for(lambda: listed_in(server, gone) == [1] * N, 30, what="the keeper brings it")


def test_a_suppression_by_request_counts_in_all_partitions_at_once(server):
    assert server.request("POST", "/v1/suppressions", json={"email": "Req@sup.test"}).status == 201
    for id in send_to_all(server, "req@sup.test").values():
        assert server.message(id)["status"] == "suppressed"
    assert server.request("POST", "/v1/suppressions", json={"email": "req@sup.test"}).status == 200
    assert server.request("DELETE", "/v1/suppressions/req@sup.test").status == 204
    assert server.request("DELETE", "/v1/suppressions/req@sup.test").status == 404
    for id in send_to_all(server, "req@sup.test").values():
        assert server.wait_terminal(id)["status"] == "delivered"


# ---- the log ----

def read_log(server, after=None, limit=7, key=None, **query):
    """All events after a cursor, and the cursor after them."""
    events = []
    while True:
        words = urllib.parse.urlencode({"limit": limit, **query, **({"cursor": after} if after else {})})
        page = server.request("GET", "/v1/events?" + words, key=key or server.test_key).json()
        assert len(page["data"]) <= limit
        events += page["data"]
        if after == page["next_cursor"]:
            return events, after
        after = page["next_cursor"]


def keys(events):
    return [(e["data"]["message_id"], e["sequence"]) for e in events]


def test_the_log_has_the_events_of_all_partitions_by_time(server):
    ids = send_in_order(server, 40, lambda i: (f"log{i}@log.test", {"tags": [f"t{i % 2}"]}))
    events, end = read_log(server)
    assert sorted(keys(events)) == sorted((id, n) for id in ids for n in (1, 2))
    assert [e["data"]["message_id"] for e in events if e["type"] == "message.queued"] == ids
    assert all(keys(events).index((id, 1)) < keys(events).index((id, 2)) for id in ids)
    assert [e["data"]["message_id"] for e in read_log(server, type="message.queued", tag="t1")[0]] == ids[1::2]
    for i in (0, 1, 39, 78, 79):               # from each event it goes on behind it
        assert keys(read_log(server, events[i]["cursor"], limit=100)[0]) == keys(events[i + 1:])
    assert read_log(server, end) == ([], end)
    new = server.deliver("log9@log.test")["id"]
    assert keys(read_log(server, end)[0]) == [(new, 1), (new, 2)]


def test_a_reader_of_a_log_that_grows_misses_nothing_and_sees_nothing_twice(server):
    sent, seen, after = [], [], None

    def read(limit):
        nonlocal after
        page = server.request("GET", f"/v1/events?limit={limit}" + (f"&cursor={after}" if after else "")).json()
        after = page["next_cursor"]
        seen.extend(page["data"])

    def send(worker):
        for i in range(30):
            to = [f"grow{worker}-{i}-{k}@log.test" for k in range(3)]
            sent.append(server.send(to).json()["id"])
    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(send, w) for w in range(4)]
        while not all(w.done() for w in workers):
            read(1 + len(seen) % 5)
        for w in workers:
            w.result()
    for id in sent:
        server.wait_terminal(id)
    while len(seen) < 4 * len(sent):
        n = len(seen)
        read(50)
        assert len(seen) > n, "the end of the log"
    assert sorted(keys(seen)) == sorted((id, n) for id in sent for n in (1, 2, 3, 4))


@pytest.mark.parametrize("after", ["x", "0", "0_", "0___", "0_____", "1.2.3", "5_5____", "5_0.0___", "5_0", "5_0_00__", "zzzzzzzzzzzzz_0___", "_", "5_1___", "%20"])
def test_an_invalid_cursor_of_the_log_is_refused(partitioned, after):
    answer = partitioned.request("GET", f"/v1/events?cursor={after}")
    assert answer.status == 400 and "next_cursor" in answer.json()["detail"], answer


# ---- lists ----

def read_list(server, limit, key=None, **query):
    """All ids, page by page, by the links."""
    ids, path = [], "/v1/messages?" + urllib.parse.urlencode({"limit": limit, **query})
    while path:
        answer = server.request("GET", path, key=key or server.test_key)
        assert answer.status == 200, answer
        assert len(answer.json()["data"]) <= limit
        ids += [m["id"] for m in answer.json()["data"]]
        link = answer.headers["Link"]
        assert (link is None) == (answer.json()["next_cursor"] is None)
        path = link and link[1:link.index(">")]
    return ids


@pytest.fixture
def forty(server):
    """Forty messages, delivered, newest first."""
    server.ids = send_in_order(server, 40, lambda i: ([f"User{i % 4}@list.test", "all@list.test"], {"tags": [f"t{i % 3}", f"r{i % 13}"]}))[::-1]
    return server


@pytest.mark.parametrize("limit", [1, 7, 40, 100])
def test_messages_of_all_partitions_come_newest_first(forty, limit):
    assert read_list(forty, limit) == forty.ids


def test_filters_search_all_partitions(forty):
    assert read_list(forty, 4, to="user3@LIST.test") == [i for k, i in enumerate(forty.ids[::-1]) if k % 4 == 3][::-1]
    assert read_list(forty, 4, tag="t1") == [i for k, i in enumerate(forty.ids[::-1]) if k % 3 == 1][::-1]
    assert read_list(forty, 4, tag="t1", to="user1@list.test", status="delivered") == [i for k, i in enumerate(forty.ids[::-1]) if k % 12 == 1][::-1]
    for rare in range(13):                     # most of what is looked at does not fit
        assert read_list(forty, 1, tag=f"r{rare}", to="all@list.test") == [i for k, i in enumerate(forty.ids[::-1]) if k % 13 == rare][::-1]
    times = [forty.message(id)["created_at"] for id in forty.ids]
    assert read_list(forty, 3, since=times[30], until=times[10]) == [i for i, t in zip(forty.ids, times) if times[30] <= t < times[10]]
    assert read_list(forty, 4, status="bounced") == []
    forty.request("POST", "/v1/suppressions", json={"email": "stop@list.test"})
    stopped = [forty.send("stop@list.test").json()["id"] for _ in range(9)]
    assert sorted(read_list(forty, 4, status="suppressed")) == sorted(stopped)


def test_a_list_that_grows_while_it_is_read_repeats_and_omits_nothing(forty):
    old, seen, cursor = forty.ids, [], ""
    while cursor is not None:
        page = forty.request("GET", f"/v1/messages?limit=3{cursor and '&cursor='}{cursor}").json()
        seen += [m["id"] for m in page["data"]]
        cursor = page["next_cursor"]
        assert forty.send("new@list.test").status == 202
    assert seen == old


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """More partitions than positions by time fit into a cursor."""
    server = harness.Postern(tmp_path_factory.mktemp("many"), {"partitions": 64}).start().make_keys()
    yield server
    server.stop()


def test_with_many_partitions_lists_and_events_have_short_cursors_and_miss_nothing(many):
    ids = send_in_order(many, 30, lambda i: (f"many{i}@list.test", {}))
    for limit in (1, 7, 30):
        assert sorted(read_list(many, limit)) == sorted(ids)
    assert read_list(many, 7, to="many3@list.test") == [ids[3]]
    page = many.request("GET", "/v1/messages?limit=7").json()
    assert len(page["data"]) == 7 and len(page["next_cursor"]) <= 512
    events, end = read_log(many)
    assert [e["data"]["message_id"] for e in events if e["type"] == "message.queued"] == ids
    for i in (0, 13, len(events) - 1):
        assert len(events[i]["cursor"]) <= 512
        assert keys(read_log(many, events[i]["cursor"], limit=100)[0]) == keys(events[i + 1:])
    assert read_log(many, end) == ([], end)


def test_a_search_over_many_empty_hours_ends(partitioned):
    """The messages lie hours apart, some partitions have none."""
    ids, mark = [], hashlib.sha1(b"far").hexdigest()
    for _ in range(6):
        ids.append(partitioned.send("far@list.test", tags=["far"]).json()["id"])
        time.sleep(0.002)
    with RedisClient(partitioned.redis_socket) as r:
        for back, id in enumerate(ids[::-1]):
            accepted = datetime.fromisoformat(partitioned.message(id)["created_at"]).timestamp()
            key, hour = f"pn:{{p{partition(id)}}}:l:1t:", int(accepted) // 3600
            assert r("LREM", f"{key}{hour}:t:{mark[:2]}", 1, id + mark[2:6]) == 1
            r("RPUSH", f"{key}{hour - 30 * back - 1}:t:{mark[:2]}", id + mark[2:6])
    assert read_list(partitioned, 2, tag="far") == ids[::-1]


@pytest.mark.parametrize("cursor", ["0", "0_", "0____", "1.2.3", "5_0", "5_0____", "5_0.0___", "x"])
def test_an_invalid_cursor_of_a_list_is_refused(partitioned, cursor):
    answer = partitioned.request("GET", f"/v1/messages?cursor={cursor}")
    assert answer.status == 400 and "next_cursor" in answer.json()["detail"], answer


# ---- webhooks ----

@pytest.fixture
def receiver(stack):
    def make(plan=None):
        return stack.add(Receiver(plan))
    return make


def places(server, id):
    with RedisClient(server.redis_socket) as r:
        words = [w.decode() for w in r("HGETALL", f"pn:{{g}}:hc:{id}")]
    return {w for w in words[::2] if w.isdigit()}


def test_webhooks_get_the_events_of_every_partition_once(server, receiver):
    r = receiver(lambda path, n: 500 if n <= 3 else 200)
    made = server.request("POST", "/v1/webhooks", json={"url": r.url()}).json()
    ids = {server.send(f"told{i}@hook.test").json()["id"] for i in range(40)}
    assert len({partition(id) for id in ids}) >= N
    want = {(id, n) for id in ids for n in (1, 2)}
    harness.wait_for(lambda: set(keys(r.events())) == want, 30, what="all are told")
    assert all(e["cursor"] for e in r.events())
    harness.wait_for(lambda: places(server, made["id"]) == {str(p) for p in range(N)}, 10, what="a place in each partition")
    harness.wait_for(lambda: server.metric("postern_webhook_retries") == 0, 20, what="nothing waits")
    told = len(r.events())
    server.stop()
    server.start()
    after = server.send("after@hook.test").json()["id"]
    harness.wait_for(lambda: {(after, 1), (after, 2)} <= set(keys(r.events())), 20)
    assert len(r.events()) == told + 2, "told again after a restart"


def test_one_of_two_machines_delivers_webhooks_and_the_other_takes_over(make_postern, make_redis, receiver):
    redis, settings = make_redis(), {"partitions": N, "webhook_allow_private": True}
    first = make_postern(settings, redis=redis)
    second = make_postern(settings, redis=redis, keys=False)
    second.test_key = first.test_key
    r = receiver()
    assert first.request("POST", "/v1/webhooks", json={"url": r.url(), "events": ["message.delivered"]}).status == 201
    ids = [(first, second)[i % 2].send(f"two{i}@hook.test").json()["id"] for i in range(30)]
    harness.wait_for(lambda: len(r.events()) >= 30, 30)
    active = [s for s in (first, second) if any(line.get("fact") == "hooks.active" for line in s.log_lines())]
    assert len(active) == 1
    assert sorted(e["data"]["message_id"] for e in r.events()) == sorted(ids)
    active[0].stop()
    other = second if active[0] is first else first
    ids += [other.send(f"over{i}@hook.test").json()["id"] for i in range(30)]
    harness.wait_for(lambda: {e["data"]["message_id"] for e in r.events()} == set(ids), 40)
    assert len(r.events()) == 60

"""The number of partitions grows while Postern runs."""
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest

from support import harness
from support.harness import RedisClient
from support.receiver import Receiver

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
AHEAD_S = 20                                   # longer than until new messages use the partitions
N = 8


def partition(id):
    return ALPHABET.index(id[-2]) * 32 + ALPHABET.index(id[-1])


def partitions(server):
    return json.loads(server.cli("partitions", "--json").stdout)


def wait_grown(server, n=N):
    harness.wait_for(lambda: partitions(server) == {"partitions": n, "for_new_messages": n, "next": None}, AHEAD_S, every=0.2)


def wait_next(server):
    """Until the time is known when new messages use the partitions; how far ahead it is, in s."""
    harness.wait_for(lambda: partitions(server)["next"], AHEAD_S, every=0.2)
    with RedisClient(server.redis_socket) as r:
        return int(r("HGET", "pn:{g}:meta", "growth").split()[-1]) / 1000 - time.time()


def send_until_accepted(server, key, to, other=None):
    """The id. A client with a key repeats its request after an error."""
    for _ in range(100):
        try:
            answer = server.send(to, key=server.live_key, http_headers={"Idempotency-Key": key})
        except OSError:
            time.sleep(0.1)
            continue
        if answer.status == 202:
            return answer.json()["id"]
        if other is not None:
            other[answer.status] += 1
        time.sleep(0.1)
    raise AssertionError(f"no 202 for {key}")


class Load:
    """Pairs of senders: each key is sent by both at the same time."""

    def __init__(self, server, pairs=3):
        self.server, self.is_over = server, False
        self.other = Counter()                 # status of refusals
        self.answers = []                      # (key, id)
        self.threads = [threading.Thread(target=self.send, args=(pair,), daemon=True) for pair in range(pairs) for _ in range(2)]
        for t in self.threads:
            t.start()

    def send(self, pair):
        i = 0
        while not self.is_over:
            i += 1
            time.sleep(0.05)
            self.answers.append((f"load{pair}-{i}", send_until_accepted(self.server, f"load{pair}-{i}", f"ok-load{pair}x{i}@d40.test", self.other)))

    def end(self):
        self.is_over = True
        for t in self.threads:
            t.join()
        ids = {}
        for key, id in self.answers:
            assert ids.setdefault(key, id) == id, f"two messages for {key}"
        return ids


def copies(world, domain):
    """Address -> how many mails it has got."""
    return Counter(row["rcpt"] for row in world.sink.taken() if row["rcpt"].endswith(domain))


def read_all(server, path, cursor=None):
    """All items of a list, or of the log, page by page."""
    items = []
    while True:
        page = server.request("GET", path + (f"&cursor={cursor}" if cursor else ""), key=server.live_key).json()
        items += page["data"]
        if page["next_cursor"] in (None, cursor):
            return items
        cursor = page["next_cursor"]


@pytest.fixture
def receiver(stack):
    return stack.add(Receiver())


@pytest.fixture
def server(make_postern, world):
    return make_postern({**world.settings, "workers_api": 2, "workers_relay": 2, "webhook_allow_private": True, "otp_waiting": 80})


def kill_command(server, n, after_s):
    """`postern partitions set`, killed after a time."""
    command = subprocess.Popen([harness.binary(), "partitions", "set", str(n)], cwd=server.directory, env=server.env(), stdout=subprocess.DEVNULL)
    time.sleep(after_s)
    assert command.poll() is None
    command.kill()
    command.wait()


def test_one_becomes_eight_under_load(server, world, receiver):
    live = server.live_key
    old = {f"old{i}": send_until_accepted(server, f"old{i}", f"ok-old{i}@d41.test") for i in range(20)}
    gone = server.send("rcpt550-gone@d41.test", key=live).json()["id"]
    assert server.wait_terminal(gone, key=live)["status"] == "bounced"
    assert server.request("POST", "/v1/suppressions", json={"email": "asked@d41.test"}, key=live).status == 201
    server.cli("project", "set", "default", "--weight", "7")
    hook = server.request("POST", "/v1/webhooks", json={"url": receiver.url(), "events": ["message.delivered"]}, key=live)
    assert hook.status == 201
    first_page = server.request("GET", "/v1/messages?limit=5", key=live).json()
    seen = [e["data"]["message_id"] for e in read_all(server, "/v1/events?type=message.queued")]
    after = server.request("GET", "/v1/events?limit=100", key=live).json()["next_cursor"]

    load = Load(server)
    kill_command(server, N, 3)                 # the partitions exist, nothing is in them
    assert partitions(server) == {"partitions": N, "for_new_messages": 1, "next": None}
    assert f"run `postern partitions set {N}`" in server.cli("partitions").stdout
    server.cli("partitions", "set", str(N))
    time.sleep(max(0, wait_next(server) - 0.2))
    os.kill(server.children("api").popitem()[0], signal.SIGKILL)
    wait_grown(server)
    time.sleep(2)
    ids = load.end()

    sent = set(old.values()) | set(ids.values()) | {gone}
    assert {partition(id) for id in ids.values()} == set(range(N))
    for id in sent - {gone}:
        assert server.wait_terminal(id, key=live, timeout=60)["status"] == "delivered"
    assert copies(world, "@d40.test") == {f"ok-{key.replace('-', 'x')}@d40.test": 1 for key in ids}
    for key, id in old.items():
        assert send_until_accepted(server, key, f"ok-{key}@d41.test") == id
    # Lists and the log have all, from before and after.
    listed = [m["id"] for m in read_all(server, "/v1/messages?limit=100")]
    assert len(listed) == len(set(listed)) and set(listed) == sent
    rest = [m["id"] for m in read_all(server, "/v1/messages?limit=100", first_page["next_cursor"])]
    assert [m["id"] for m in first_page["data"]] + rest == [id for id in listed if partition(id) == 0 and id in set(old.values()) | {gone}]
    new = [e["data"]["message_id"] for e in read_all(server, "/v1/events?limit=100&type=message.queued", after)]
    assert Counter(seen + new) == Counter(sent)
    harness.wait_for(lambda: {e["data"]["message_id"] for e in receiver.events()} >= set(ids.values()), 60, what="all webhooks")
    # What each partition has a copy of.
    with RedisClient(server.redis_socket) as r:
        for p in range(N):
            assert r("HMGET", f"pn:{{p{p}}}:sup:1", "asked@d41.test", "rcpt550-gone@d41.test").count(None) == 0
            assert r("HGET", f"pn:{{p{p}}}:weights", "1t") == b"7"
            assert r("GET", f"pn:{{p{p}}}:otp_limit") == b"10"
    for i in range(20):
        assert server.message(server.send("asked@d41.test", key=live).json()["id"], live)["status"] == "suppressed"


def test_a_process_that_stood_still_meanwhile_makes_no_second_message(server, world):
    """Its requests wait in its sockets. It does not know of the growth when it continues."""
    keys = [f"still{i}" for i in range(40)]
    stopped = server.children("api").popitem()[0]
    os.kill(stopped, signal.SIGSTOP)
    results = {key: set() for key in keys}
    server.cli("partitions", "set", str(N))
    time.sleep(max(0, wait_next(server) - 1))

    def send(key):
        results[key].add(send_until_accepted(server, key, f"ok-{key}@d42.test"))
    threads = [threading.Thread(target=send, args=(key,), daemon=True) for key in keys for _ in range(2)]
    for t in threads:
        t.start()
    wait_grown(server)
    os.kill(stopped, signal.SIGCONT)
    for t in threads:
        t.join()
    assert all(len(ids) == 1 for ids in results.values()), results
    for key, ids in results.items():
        assert send_until_accepted(server, key, f"ok-{key}@d42.test") in ids
        server.wait_terminal(next(iter(ids)), key=server.live_key)
    assert copies(world, "@d42.test") == {f"ok-{key}@d42.test": 1 for key in keys}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    server = harness.Postern(tmp_path_factory.mktemp("two"), {"partitions": 2}).start()
    yield server
    server.stop()


@pytest.mark.parametrize("number", ["0", "-1", "1025", "5000", "x", "1.5", "", "8x", None])
def test_a_number_that_is_none_is_refused(two, number):
    done = two.cli("partitions", "set", *([] if number is None else [number]), check=False)
    assert done.returncode == 2 and "postern partitions set" in done.stderr and not done.stdout
    assert partitions(two)["partitions"] == 2


def test_fewer_partitions_are_refused_and_the_same_number_changes_nothing(two):
    done = two.cli("partitions", "set", "1", check=False)
    assert done.returncode == 1 and "the store has 2 partitions, and the number cannot be reduced" in done.stderr
    assert two.cli("partitions", "set", "2").stdout == "The store already has 2 partitions.\n"
    assert two.cli("partitions").stdout == "partitions: 2\n"
    assert partitions(two) == {"partitions": 2, "for_new_messages": 2, "next": None}

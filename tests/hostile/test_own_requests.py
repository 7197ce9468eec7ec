"""One project asks Postern for work again and again: retries, tests of webhooks."""
import collections
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.harness import wait_for
from support.receiver import Receiver
from support.victim import hold


class Repeated:
    """Sends a request from many threads until the end of the block; statuses counts the responses."""

    def __init__(self, server, key, paths, threads=20):
        self.server, self.key, self.paths, self.threads = server, key, paths, threads
        self.statuses, self.done = collections.Counter(), threading.Event()

    def run(self, number):
        while not self.done.is_set():
            status = self.server.request("POST", self.paths[number % len(self.paths)], key=self.key).status
            self.statuses[status] += 1

    def __enter__(self):
        self.pool = ThreadPoolExecutor(self.threads)
        self.runs = [self.pool.submit(self.run, n) for n in range(self.threads)]
        return self

    def __exit__(self, *_):
        self.done.set()
        self.pool.shutdown()
        for run in self.runs:
            run.result()


def test_retries_without_end_reach_a_server_seldom_and_do_not_grow_the_record(attacked, seconds, report):
    a = attacked()
    a.outside.dns.zone.update({"later.test": {"MX": ["10 mx.victim.test."]}})
    ids = [a.server.send(f"rcpt450-{n}@later.test", key=a.key).json()["id"] for n in range(5)]
    for id in ids:
        a.server.wait_status(id, "deferred", key=a.key)
    alone = a.victim.measure("alone", seconds)
    before = len(a.outside.sink.rows())
    with Repeated(a.server, a.key, [f"/v1/messages/{id}/retry" for id in ids]) as repeated:
        beside = a.victim.measure("beside retries without end", seconds)
        attempts = len([r for r in a.outside.sink.rows()[before:] if not r["taken"]])
    report(alone, beside, statuses=repeated.statuses, attempts=attempts)
    hold(beside, alone)
    refused = repeated.statuses[409]
    assert set(repeated.statuses) <= {200, 409} and refused > 20
    assert attempts <= len(ids) * (1 + (seconds + 2) / 10)
    events = a.server.request("GET", f"/v1/messages/{ids[0]}/events", key=a.key).json()["data"]
    assert len(events) <= 3 * (2 + (seconds + 2) / 10)


@pytest.fixture
def receiver(stack):
    hangs = threading.Event()
    counts = {"now": 0, "most": 0}

    def plan(path, n):
        if path != "/hangs":
            return 200
        counts["now"] += 1
        counts["most"] = max(counts.values())
        hangs.wait(20)
        counts["now"] -= 1
        return 200
    r = Receiver(plan)
    r.counts_of_posts = counts
    stack.add(r, lambda: (hangs.set(), r.stop()))
    return r


def test_tests_of_a_webhook_that_hangs_do_not_delay_the_events_of_others(attacked, seconds, report, receiver):
    a = attacked({"webhook_allow_private": True})

    def endpoint(key, path):
        made = a.server.request("POST", "/v1/webhooks", key=key, json={"url": receiver.url(path), "events": ["message.delivered"]})
        assert made.status == 201, made
        return made.json()["id"]
    paths = [f"/v1/webhooks/{endpoint(a.key, '/hangs')}/test" for _ in range(20)]
    endpoint(a.server.create_key("m", project="victim", scopes="send,read,manage"), "/victim")

    def events():
        return len(receiver.requests("/victim"))
    alone = a.victim.measure("alone", seconds)
    wait_for(lambda: events() >= alone.sent, 20)
    with Repeated(a.server, a.key, paths, threads=200) as repeated:
        beside = a.victim.measure("beside tests of webhooks that hang", seconds)
        # All events of the victim, while the posts of the attacker still hang.
        wait_for(lambda: events() >= alone.sent + beside.sent, 15)
        repeated.done.set()
    report(alone, beside, statuses=repeated.statuses, posts_to_the_hanging=receiver.counts_of_posts["most"])
    hold(beside, alone)
    assert set(repeated.statuses) <= {200, 409, 503}
    # Two at once for each webhook. The receiver still counts those that Postern has given up, which are as many at most.
    assert receiver.counts_of_posts["most"] <= 4 * len(paths)

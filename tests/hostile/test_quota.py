"""A send key that is used to fill the store."""
import base64
import http.client
import itertools
import json
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from support.harness import wait_for
from support.victim import hold

MB = 1 << 20
LIMIT = 2 * MB


class Sender:
    """Sends with one key on one connection; counts the statuses."""

    def __init__(self, server, key):
        self.server, self.key, self.statuses, self.retry_after = server, key, Counter(), set()
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def call(self, path, body=None):
        self.connection.request("POST", path, json.dumps(body) if body else None,
                                {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        return response, json.loads(text)

    def send(self, mail):
        response, body = self.call("/v1/messages", {"from": "a@attacker.example", "subject": "x", "text": "x", **mail})
        self.statuses[response.status] += 1
        if response.status == 429:
            assert body["type"] == "/problems/queue-full", body
            self.retry_after.add(response.headers["Retry-After"])
        return response.status, body


def wide(number):
    """The message that takes most for its size: 50 domains and 10 tags of its own."""
    return {"to": [f"a@{number}-{n}.nowhere.test" for n in range(50)], "tags": [f"{number}-{n}" for n in range(10)]}


def attack(sender, done, has_cancel=False):
    """Sends until done is set. With has_cancel, each message is finished at once."""
    for number in itertools.count():
        if done.is_set():
            return
        status, body = sender.send(wide(f"{threading.get_ident()}-{number}"))
        if has_cancel and status == 202:
            sender.call(f"/v1/messages/{body['id']}/cancel")


def test_a_send_key_does_not_fill_the_store(attacked, seconds, report):
    a = attacked({"project_stored_bytes": 10 * LIMIT})
    a.server.cli("project", "set", "attacker", "--stored-bytes", str(LIMIT))
    time.sleep(1.2)                            # the API remembers limits for a second
    alone = a.victim.measure("alone", seconds)
    done = threading.Event()
    senders = [Sender(a.server, a.key), Sender(a.server, a.key), Sender(a.server, a.test_key)]
    with a.memory() as memory, ThreadPoolExecutor(3) as pool, a.victim.sending("beside a flood of wide messages") as beside:
        runs = [pool.submit(attack, sender, done, sender is senders[1]) for sender in senders]
        try:
            wait_for(lambda: all(s.statuses[429] > 20 for s in senders), 120, 0.2, "the limits are reached")
            time.sleep(seconds)
        finally:
            done.set()
        for run in runs:
            run.result()
    after = a.victim.measure("after", seconds)
    report(alone, beside, after, memory=memory, statuses=str([dict(s.statuses) for s in senders]))
    assert all(s.statuses.keys() == {202, 429} and s.retry_after == {"30"} for s in senders), [s.statuses for s in senders]
    hold(beside, alone, after)
    # Live and test mode together, lists of one hour, and the mail of the victim. In Redis it takes less than it counts for.
    assert memory.redis_peak - memory.redis_start < 1.1 * LIMIT + 4 * MB, memory.row()
    assert "project.queue_full" in a.server.log() and a.server.metric("postern_messages_queue_full_total") > 60


def test_large_contents_that_are_refused_leave_nothing_in_redis(attacked):
    a = attacked({"project_stored_bytes": 4 * MB})
    sender = Sender(a.server, a.key)
    mail = {"to": ["a@closed.test"], "attachments": [{"filename": "x", "content_type": "application/octet-stream",
                                                      "content": base64.b64encode(os.urandom(2 * MB)).decode()}]}
    a.outside.dns.zone.update({"closed.test": {"A": ["127.0.0.99"]}})
    wait_for(lambda: sender.send(mail)[0] == 429, what="the limit is reached")
    with a.memory() as memory:
        assert {sender.send(mail)[0] for _ in range(10)} == {429}
    assert memory.redis_end - memory.redis_start < MB, memory.row()

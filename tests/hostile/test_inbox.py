"""A test key that is used to fill the store and the connections to Redis."""
import base64
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from support import harness
from support.harness import wait_for
from support.victim import hold

MB = 1 << 20
MAXMEMORY = 256 * MB


def noise(size):
    """An attachment that does not compress."""
    return [{"filename": "x", "content_type": "application/octet-stream", "content": base64.b64encode(os.urandom(size)).decode()}]


def inbox_bytes(server):
    with harness.RedisClient(server.redis_socket) as r:
        return int(r("GET", "pn:{p0}:in_total") or 0)


def page(a, query="limit=1"):
    return a.server.request("GET", "/v1/test/inbox?" + query, key=a.test_key).json()


def test_test_mail_with_many_recipients_does_not_delay_live_mail(attacked, make_redis, seconds, report):
    a = attacked({"max_recipients": 50}, redis=make_redis(maxmemory=MAXMEMORY))
    alone = a.victim.measure("alone", seconds)
    lost = a.server.metric("postern_store_connections_lost_total")
    sent, done = [], threading.Event()

    def attack(thread):
        while not done.is_set():
            to = [f"r{n}@{thread}-{len(sent)}-{n % 5}.test" for n in range(50)]
            response = a.server.send(to, key=a.test_key, attachments=noise(700_000))
            assert response.status in (202, 429), response
            sent.append(response.json().get("id"))

    with a.memory() as memory, ThreadPoolExecutor(3) as pool, a.victim.sending("beside test mail of 1 MB for 50 recipients") as beside:
        runs = [pool.submit(attack, i) for i in range(3)]
        try:
            wait_for(lambda: len([id for id in sent if id]) >= 15, 90, 0.2, "15 test mails are accepted")
            time.sleep(seconds)
        finally:
            done.set()
        for run in runs:
            run.result()
        for id in filter(None, sent):
            a.server.wait_terminal(id, key=a.test_key, timeout=60)
    after = a.victim.measure("after", seconds)
    report(alone, beside, after, memory=memory, test_mails=len(sent))
    hold(beside, alone, after)
    assert a.server.metric("postern_store_connections_lost_total") == lost
    # All inboxes together: 5 % of Redis, and the mail that is being added.
    assert inbox_bytes(a.server) <= MAXMEMORY // 20


def test_a_test_inbox_takes_a_small_part_of_the_store_and_the_oldest_mail_goes(attacked, make_redis, report):
    a = attacked(redis=make_redis(maxmemory=MAXMEMORY))
    for n in range(25):
        message = a.server.send([f"r{n}@inbox.test"], key=a.test_key, attachments=noise(700_000))
        assert message.status == 202, message
        a.server.wait_terminal(message.json()["id"], key=a.test_key)
        assert inbox_bytes(a.server) <= MAXMEMORY // 20
    newest = page(a)
    report(inbox_mb=inbox_bytes(a.server) // MB, dropped=newest["dropped"])
    assert newest["data"][0]["to"] == "r24@inbox.test" and newest["dropped"] > 0
    assert page(a, "to=r0@inbox.test")["data"] == []
    kept, cursor = [], ""
    while cursor is not None:
        answer = page(a, "limit=100" + cursor)
        kept += [m["to"] for m in answer["data"]]
        cursor = answer["next_cursor"] and f"&cursor={answer['next_cursor']}"
    assert kept == [f"r{n}@inbox.test" for n in range(24, 24 - len(kept), -1)]
    assert len(kept) + newest["dropped"] == 25
    assert a.server.metric("postern_test_inbox_dropped_total") == newest["dropped"]


def test_when_redis_is_nearly_full_test_mail_goes_first_and_live_mail_is_accepted(attacked, make_redis):
    redis = make_redis(maxmemory=64 * MB)
    a = attacked(redis=redis)
    for n in range(3):
        sent = a.server.send([f"r{n}@inbox.test"], key=a.test_key, attachments=noise(500_000))
        a.server.wait_terminal(sent.json()["id"], key=a.test_key)
    assert inbox_bytes(a.server) > MB
    while int(redis.info("memory")["used_memory"]) < 64 * MB * 73 // 100:
        redis("RPUSH", "other", b"x" * (MB // 2))
    sent = 3

    def becomes_empty():                       # each relay looks at the memory of Redis every 5 seconds
        nonlocal sent
        sent += 1
        message = a.server.send(["last@inbox.test"], key=a.test_key).json()
        assert a.server.wait_terminal(message["id"], key=a.test_key)["recipients"][0]["status"] == "delivered"
        return inbox_bytes(a.server) == 0
    wait_for(becomes_empty, 30, 0.5, "the inboxes are empty")
    assert page(a)["data"] == [] and page(a)["dropped"] == sent
    assert a.victim.request({"from": "shop@shop.example", "to": ["ada@victim.test"], "subject": "x", "text": "x"}) == 202

"""Each command that Postern sends to Redis for a mail goes wrong once, in each way it can: no mail may notice.

A mail is sent for each fault, and goes from its 202 to its webhook; then the ledger must balance.
"""
import base64
import hashlib
import itertools
import json
import os
import random
import signal
import socket
import struct
import time

import pytest

from support import harness, ledger
from support.killtest import Told
from support.redis_proxy import Fault, Proxy

# Commands that run on timers, and commands that are sent once for each connection.
CHORES = {"promote", "release", "expire", "renew", "deliveries_endpoints", "deliveries_report", "suppression_news", "partitions_look"}
RARE = {"sweep", "ZCARD", "HLEN", "LLEN", "ZRANGE", "HKEYS"}
HANDSHAKE = {"FUNCTION LIST", "FUNCTION LOAD", "init_partition", "init_store", "SSUBSCRIBE", "INFO", "CONFIG", "TIME"}
NOT_NOW = ["OOM command not allowed when used memory > 'maxmemory'.", "LOADING Redis is loading the dataset in memory",
           "BUSY Redis is busy running a script.", "MISCONF Redis is configured to save RDB snapshots",
           "READONLY You can't write against a read only replica.", "ERR Function not found"]
REMEMBERED = {"key_find"}  # for a second, by the API
RUNS = itertools.count()
MOST = 8
TEXT = "Thank you.\n"
LARGE = {"filename": "large", "content": base64.b64encode(random.Random(1).randbytes(100_000)).decode()}  # lies in chunks


class Scene:
    """A Postern whose Redis is behind a proxy, and all traffic between them."""

    def __init__(self, make_redis, make_postern, world, stack, tmp_path):
        self.make_postern, self.stack, self.world, self.redis = make_postern, stack, world, make_redis()
        self.proxy = stack.add(Proxy(self.redis.socket, tmp_path / "proxy.sock")).start()
        self.lines, self.ids, self.refused, self.run = [], [], [], f"f{next(RUNS)}x"

    def start(self, rare):
        self.proxy.faults = list(rare)
        self.server = self.make_postern({**self.world.settings, "redis_url": self.proxy.url, "workers_api": 1, "workers_relay": 1,
                                    "retry_first_s": 1, "retry_first_otp_s": 1, "webhook_allow_private": True,
                                    "webhook_retry_s": 1}, redis=self.redis)
        self.told = Told()
        self.stack.add(self.told.receiver)
        self.told.hook(self.server, self.server.live_key)
        self.mail()  # then the proxy has seen all names
        self.wait_end("no fault")

    def mail(self):
        """Sends until the response is definite: 202, or 503 not-accepted."""
        token = f"{self.run}{len(self.ids) + len(self.refused)}"
        rcpt = f"ok-{token}@d20.test"
        self.lines.append({"e": "invoke", "token": token, "rcpts": [rcpt],
                           "text_sha": hashlib.sha256(TEXT.rstrip().encode()).hexdigest()})
        end = time.monotonic() + 40
        while time.monotonic() < end:
            answer = self.server.send(rcpt, key=self.server.live_key, text=TEXT, headers={"X-Token": token}, attachments=[LARGE],
                                      http_headers={"Idempotency-Key": token})
            said = answer.json()
            if answer.status == 202:
                self.lines.append({"e": "ok", "token": token, "id": said["id"], "message_id": said["internet_message_id"]})
                self.ids.append(said["id"])
                return
            assert answer.status == 503, answer
            if said["type"] == "/problems/not-accepted":
                self.lines.append({"e": "fail", "token": token})
                self.refused.append(token)
                return
            assert said["type"] == "/problems/outcome-unknown", answer
            self.lines.append({"e": "info", "token": token})
        raise AssertionError(f"{token}: no definite answer")

    def wait_end(self, case):
        """The last mail is delivered and its webhook sent, and the store accepts the next one."""
        if self.ids:
            def is_told():
                return any(e["data"]["message_id"] == self.ids[-1] for e in self.told.receiver.events())
            harness.wait_for(is_told, 40, 0.02, what=f"{case}: the webhook of {self.ids[-1]}")
        self.server.wait_ready()

    def check(self):
        finals = [self.server.wait_terminal(id, key=self.server.live_key) for id in self.ids]
        report = ledger.check(self.lines, [r for r in self.world.sink.rows() if r["rcpt"].startswith(f"ok-{self.run}")], finals)
        self.told.check(finals, 10)
        assert report.is_clean, report.markdown()
        assert self.told.is_clean, self.told.text()
        assert {r["status"] for m in finals for r in m["recipients"]} == {"delivered"}


@pytest.fixture
def scene(make_redis, make_postern, world, stack, tmp_path):
    return Scene(make_redis, make_postern, world, stack, tmp_path)


def spoil_each(scene, kind, errors):
    """{name: how many of its commands were spoilt}; each spoilt while a mail was under way."""
    errors, spoilt = itertools.cycle(errors), {}
    rare = [Fault(kind, name, error=next(errors)) for name in RARE]
    scene.start(rare)
    for name in sorted(set(scene.proxy.seen) - RARE):
        is_clockwork = name in CHORES | HANDSHAKE
        for at in range(1, 2 if is_clockwork else MOST):
            if name in REMEMBERED:
                time.sleep(1.1)
            fault = Fault(kind, name, at, next(errors))
            scene.proxy.faults = [*rare, fault]
            if name == "FUNCTION LOAD":
                scene.redis("FUNCTION", "FLUSH")
            if name in HANDSHAKE:
                scene.proxy.cut_all()
            scene.mail()
            scene.wait_end(f"{name} {at}")
            if is_clockwork:
                harness.wait_for(lambda: fault.is_hit, 20, what=f"a {name}")
            if not fault.is_hit:
                break
            spoilt[name] = at
    harness.wait_for(lambda: all(f.is_hit for f in rare), 60, what="what is rare")
    return spoilt


@pytest.mark.parametrize("kind, errors", [("error", NOT_NOW), ("error", ["ERR injected"]), ("unheard", [""]), ("unanswered", [""])],
                         ids=["not now", "refused", "unheard", "unanswered"])
def test_whichever_command_goes_wrong_the_ledger_balances(scene, kind, errors):
    spoilt = spoil_each(scene, kind, errors)
    missing = {"accept", "take", "dot", "settle", "deliveries_report", "key_find", "SET", "GET", "SSUBSCRIBE"} - set(spoilt)
    assert not missing, f"{missing} of {spoilt}"
    scene.check()


LOADING = "LOADING Redis is loading the dataset in memory"


def refused(scene):
    """The response to a mail: it is refused temporarily, at any stage of the store."""
    answer = scene.server.send("ok-loading@d20.test", key=scene.server.live_key)
    assert answer.status == 503 and answer.json()["type"] == "/problems/not-accepted", answer
    assert int(answer.headers["Retry-After"]) >= 1
    return answer


def test_mail_that_comes_while_redis_loads_is_refused_at_start_and_later(scene):
    scene.start([])
    scene.proxy.refusal = LOADING
    refused(scene)
    scene.server.kill_all()
    scene.server.launch()
    harness.wait_for(lambda: "cannot_connect" in scene.server.log(), what="the word of Redis")
    harness.wait_for(lambda: is_listening(scene.server), 30, what="the API")
    refused(scene)
    assert scene.server.internal("/readyz").status == 503
    scene.proxy.refusal = None
    scene.server.wait_ready()
    scene.mail()
    scene.wait_end("after loading")
    scene.check()
    assert not scene.world.sink.rows("ok-loading@d20.test")


def is_listening(server):
    try:
        return server.request("GET", "/healthz", key=None).status == 200
    except OSError:
        return False


def request_bytes(server, token, body):
    return (f"POST /v1/messages HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {server.live_key}\r\nIdempotency-Key: {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


@pytest.mark.parametrize("cut", [0, 5])
def test_a_client_that_closes_early_has_sent_the_mail_if_the_body_was_complete(scene, cut):
    """The client closes while Redis is stopped with the accept in its socket, or before the body is complete."""
    scene.start([])
    token = f"{scene.run}hangup{cut}"
    mail = {"from": "orders@shop.example", "to": [f"ok-{token}@d21.test"], "text": TEXT}
    whole = request_bytes(scene.server, token, json.dumps(mail).encode())
    scene.server.request("GET", "/v1/messages?limit=1", key=scene.server.live_key)  # the key is known now
    before = scene.proxy.seen["accept"]
    os.kill(scene.redis.process.pid, signal.SIGSTOP)
    try:
        with socket.create_connection(("127.0.0.1", scene.server.port)) as client:
            client.sendall(whole[:len(whole) - cut])
            if not cut:
                harness.wait_for(lambda: scene.proxy.seen["accept"] > before, what="the accept")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    finally:
        os.kill(scene.redis.process.pid, signal.SIGCONT)
    scene.server.wait_ready()
    again = scene.server.request("POST", "/v1/messages", json=mail, key=scene.server.live_key, headers={"Idempotency-Key": token})
    assert again.status == 202
    assert (again.headers["Idempotent-Replayed"] is None) == bool(cut)
    assert scene.server.wait_terminal(again.json()["id"], key=scene.server.live_key)["status"] == "delivered"
    assert len(scene.world.sink.taken(f"ok-{token}@d21.test")) == 1

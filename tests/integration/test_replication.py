"""Durability `replicated`: a 202 only after a replica of Redis has the message."""
import contextlib
import os
import signal
import threading
import time

import pytest

from support import harness
from support.harness import wait_for
from support.load import Load, assert_delivered


def wake(redis):
    with contextlib.suppress(ProcessLookupError):
        os.kill(redis.process.pid, signal.SIGCONT)


@pytest.fixture
def pair(make_redis, stack):
    """(master, replica), in step."""
    port = harness.free_port()
    master = make_redis("master", bind="127.0.0.1", port=port, min_replicas_to_write=1)
    replica = make_redis("replica", replicaof=f"127.0.0.1 {port}")
    stack.add(replica, lambda: wake(replica))
    wait_for(lambda: replica.info("replication")["master_link_status"] == "up", 20, what="the replica is in step")
    return master, replica


@pytest.fixture
def server(make_postern, make_sink, pair):
    sink = make_sink()
    return make_postern({"relay_url": f"smtp://127.0.0.1:{sink.port}", "durability": "replicated"}, redis=pair[0])


def send(server, key, **fields):
    return server.send("a@d0.test", key=server.live_key, http_headers={"Idempotency-Key": key}, **fields)


def test_each_202_names_replicated(server):
    r = send(server, "k1")
    assert (r.status, r.json()["durability"]) == (202, "replicated")
    assert send(server, "k1").json()["durability"] == "replicated"    # the repeat, too
    assert server.wait_terminal(r.json()["id"], key=server.live_key)["recipients"][0]["status"] == "delivered"


def test_a_replica_that_does_not_confirm_makes_the_outcome_unknown(server, pair):
    os.kill(pair[1].process.pid, signal.SIGSTOP)
    r = send(server, "k1")
    assert (r.status, r.json()["code"]) == (503, "outcome_unknown")
    assert "replica" in r.json()["detail"]
    assert any(line["fact"] == "store.not_replicated" for line in server.log_lines())
    wake(pair[1])
    again = send(server, "k1")
    assert again.status == 202


def test_a_new_connection_does_not_confirm_what_the_old_one_wrote(server, pair):
    """The call is repeated on it, and writes nothing there."""
    os.kill(pair[1].process.pid, signal.SIGSTOP)
    results = []
    sender = threading.Thread(target=lambda: results.append(send(server, "k1")))
    sender.start()
    for _ in range(6):
        time.sleep(0.25)
        pair[0]("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    sender.join()
    assert (results[0].status, results[0].json()["code"]) == (503, "outcome_unknown")


def test_without_a_replica_no_mail_is_accepted(server, pair):
    pair[1].stop()
    wait_for(lambda: server.request("GET", "/readyz", key=None).status == 503, 30, what="/readyz says 503")
    r = send(server, "k1")
    assert (r.status, r.json()["code"]) == (503, "not_accepted")
    assert "replica" in r.json()["detail"]
    pair[1].start()
    server.wait_ready()
    assert send(server, "k1").status == 202


def test_a_master_that_would_go_on_without_replicas_is_refused(server, pair):
    pair[0]("CONFIG", "SET", "min-replicas-to-write", "0")
    wait_for(lambda: server.request("GET", "/readyz", key=None).status == 503, 30, what="/readyz says 503")
    assert "min-replicas-to-write" in send(server, "k1").json()["detail"]


def test_the_embedded_redis_cannot_be_replicated(make_postern):
    server = make_postern({"durability": "replicated"}, start=False)
    done = server.cli("config", "check", check=False)
    assert done.returncode == 1 and "POSTERN_REDIS_URL" in done.stderr


def test_the_replica_has_all_accepted_mail_when_the_master_dies(server, pair, make_postern, make_sink):
    server.settings["relay_url"] = "smtp://127.0.0.1:1"    # mail waits
    server.stop()
    server.start()
    with Load(server) as load:
        load.wait_more(101, timeout=30)
        pair[0].kill()
        load.is_over.set()
        server.crash()
    pair[1]("REPLICAOF", "NO", "ONE")
    sink = make_sink()
    server.redis = pair[1]
    server.settings.update(redis_url=pair[1].url, durability="fsync", relay_url=f"smtp://127.0.0.1:{sink.port}", retry_first_s=1)
    server.start()
    for message, _ in load.accepted:
        server.request("POST", f"/v1/messages/{message}/retry", key=server.live_key)
    assert_delivered(server, load.accepted)

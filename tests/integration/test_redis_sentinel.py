"""Redis with Sentinel: three real sentinels, a master and two replicas."""
import os
import signal
import socket
import socketserver
import threading

import pytest

from support import sentinel, talk
from support.harness import wait_for
from support.load import Load, assert_delivered, deliver
from support.sentinel import SERVICE


@pytest.fixture
def make_trio(tmp_path, stack):
    def make(**options):
        return sentinel.Trio(tmp_path / "trio", stack.add, **options)
    return make


def subscribers(node):
    """How many channels Postern's processes have subscribed to there."""
    channels = node("PUBSUB", "SHARDCHANNELS", "pn:*")
    return sum(n for n in node("PUBSUB", "SHARDNUMSUB", *channels) if isinstance(n, int))


def all_known(server, messages):
    """Redis has them, and their mail has reached the sink. A result that the replicas did not have is lost with the master: the
    message gets its final state after the end of its lease."""
    for message, to in messages:
        assert server.message(message, key=server.live_key)["id"] == message
        server.sink.wait_taken(to, timeout=60)


def is_in_step(trio):
    """All replicas that are up have what the master has."""
    master = trio.master()
    offset = int(master.info("replication")["master_repl_offset"])
    for node in trio.nodes:
        if node.role() == "slave":
            wait_for(lambda node=node: int(node.info("replication")["slave_repl_offset"]) >= offset, 20, what="the replica is in step")


@pytest.mark.parametrize("durability", ["fsync", "replicated"])
def test_the_killed_master_is_replaced_and_returns_as_a_replica(make_trio, make_server, durability):
    trio = make_trio(min_replicas_to_write=1 if durability == "replicated" else 0)
    server = make_server(trio, durability=durability)
    old = trio.nodes[0]
    with Load(server, pause=0.02) as load:
        load.wait_more()
        before = list(load.accepted)
        is_in_step(trio)
        old.kill()
        new = trio.wait_other(old)
        load.wait_more()    # the load went on all the time, and nobody has touched the server
        old.start()
        wait_for(lambda: old.role() == "slave", 60, what="the old master follows the new one")
        load.wait_more()
        after = load.accepted[-30:]
    all_known(server, load.accepted if durability == "replicated" else before)
    assert_delivered(server, after)
    assert new.role() == "master"
    assert any(line["fact"] == "store.connection_lost" for line in server.log_lines())


def test_a_failover_by_hand_is_followed_by_all_processes(make_trio, make_server):
    trio = make_trio()
    server = make_server(trio)
    deliver(server)
    n_subscribers = subscribers(trio.nodes[0])
    assert n_subscribers > 0
    for _ in range(2):
        with Load(server, pause=0.02) as load:
            load.wait_more()
            before, old = list(load.accepted), trio.master()
            is_in_step(trio)
            new = trio.fail_over()
            wait_for(lambda old=old: old.role() == "slave", 30, what="the old master follows the new one")
            load.wait_more(60)    # the first ones of them may still be of the old master
            after = load.accepted[-30:]
        all_known(server, before)
        assert_delivered(server, after)
        # calls and subscriptions are at the new master
        wait_for(lambda new=new: subscribers(new) >= n_subscribers, 20, what="as many subscribers at the new master")
        deliver(server)


def test_a_master_that_hangs_is_left(make_trio, make_server):
    trio = make_trio()
    server = make_server(trio)
    old = trio.nodes[0]
    deliver(server)
    n_subscribers = subscribers(old)
    assert n_subscribers > 0
    os.kill(old.process.pid, signal.SIGSTOP)
    try:
        new = trio.wait_other(old)
        # the kernel keeps the connections to the old master alive
        wait_for(lambda: subscribers(new) >= n_subscribers, 20, what="as many subscribers at the new master")
        wait_for(lambda: server.send("b@d0.test", key=server.live_key).status == 202, 60, what="mail is accepted")
        deliver(server)
    finally:
        os.kill(old.process.pid, signal.SIGCONT)
    wait_for(lambda: old.role() == "slave", 60, what="the old master follows the new one")
    deliver(server)


def test_sentinels_that_are_away_are_passed_over(make_trio, make_server, stack):
    trio = make_trio()
    silent = socket.create_server(("127.0.0.1", 0))
    stack.add(silent, silent.close)
    trio.sentinels[0].stop()
    names = trio.hosts.replace("127.0.0.1", "localhost")
    trio.url = f"redis+sentinel://127.0.0.1:1,[::1]:1,127.0.0.1:{silent.getsockname()[1]},{names}/{SERVICE}"
    deliver(make_server(trio))


class LateSentinel(socketserver.ThreadingTCPServer):
    """It names a server that is no master, as a sentinel does that has missed a failover."""

    daemon_threads = allow_reuse_address = True

    class RequestHandlerClass(socketserver.BaseRequestHandler):
        def handle(self):
            self.server.n_asked += 1
            self.request.recv(4096)
            port = str(self.server.named.port)
            self.request.sendall(f"*2\r\n$9\r\n127.0.0.1\r\n${len(port)}\r\n{port}\r\n".encode())

    def __init__(self, named):
        super().__init__(("127.0.0.1", 0), self.RequestHandlerClass)
        self.named, self.n_asked = named, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


def test_a_sentinel_that_names_a_replica_is_passed_over(make_trio, make_server, stack):
    trio = make_trio(replicas=1)
    late = stack.add(LateSentinel(trio.nodes[1]))
    trio.url = f"redis+sentinel://127.0.0.1:{late.server_address[1]},{trio.hosts}/{SERVICE}"
    server = make_server(trio)
    deliver(server)
    assert late.n_asked > 0
    assert any("not a master" in line.get("reason", "") for line in server.log_lines())
    assert trio.nodes[1].info("commandstats").get("cmdstat_function|list") is None    # ROLE comes before the handshake


def test_sentinels_and_redis_with_a_password_and_a_database(make_trio, make_server):
    trio = make_trio(replicas=1, password="canary0password")
    trio.url += "?db=3"
    server = make_server(trio)
    deliver(server)
    assert "db3" in trio.nodes[0].info("keyspace")
    assert "canary0password" not in server.log()


def test_sentinels_and_redis_over_tls(make_trio, make_server, tmp_path):
    certificates = talk.Certificates(tmp_path)
    pem = certificates.folder / "address.pem"
    trio = make_trio(tls={"tls_cert_file": pem, "tls_key_file": pem, "tls_ca_cert_file": certificates.ca_file, "tls_auth_clients": "no",
                          "tls_replication": "yes"})
    server = make_server(trio, redis_ca_file=certificates.ca_file)
    deliver(server)
    trio.nodes[0].kill()
    trio.wait_other(trio.nodes[0])
    server.wait_ready()
    deliver(server)


@pytest.fixture
def refuse(make_postern):
    def refuse(url, *words):
        server = make_postern({"redis_url": url}, start=False, crashes=True)
        server.launch()
        server.wait_not_ready(*words)
    return refuse


def test_a_url_that_does_not_fit_the_servers_is_refused_with_what_to_do(make_trio, refuse):
    trio = make_trio(replicas=1)
    first, node = trio.sentinels[0].port, trio.nodes[0].port
    refuse(f"redis+sentinel://{trio.hosts}/other", f"127.0.0.1:{first}", "no master with the name other", "POSTERN_REDIS_URL")
    refuse(f"redis+sentinel://127.0.0.1:{node}/{SERVICE}", f"127.0.0.1:{node}", "no sentinel")
    refuse(f"redis://127.0.0.1:{first}", f"127.0.0.1:{first}", "redis+sentinel://")


def test_no_sentinel_and_no_master_are_reported_with_their_addresses(make_trio, make_server, refuse):
    refuse("redis+sentinel://127.0.0.1:1,127.0.0.1:2/mail", "no sentinel knows the master of mail", "127.0.0.1:1: ", "127.0.0.1:2: ")
    trio = make_trio(replicas=1)
    server = make_server(trio)
    for s in trio.sentinels[1:]:
        s.stop()    # no majority: nobody can be promoted
    trio.nodes[0].kill()
    server.wait_not_ready(f"127.0.0.1:{trio.nodes[0].port}", "SENTINEL CKQUORUM")


def test_a_url_without_a_service_is_refused_at_start(make_postern):
    server = make_postern({"redis_url": "redis+sentinel://127.0.0.1:26379"}, start=False)
    done = server.cli("config", "check", check=False)
    assert done.returncode == 1 and "the service is missing" in done.stderr

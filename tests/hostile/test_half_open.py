"""Clients without a key that hold connections to the API."""
import resource
import socket
import ssl

import pytest

from support import harness
from support.talk import Certificates
from support.victim import hold

ATTACKERS = [f"127.0.0.{i}" for i in range(1, 5)]
VICTIM = "127.0.0.9"
HALF_OPEN = 5000


def hold_connections(port, n, octets=b""):
    """n connections from the attackers' addresses; those that the server has ended since stay in the list."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    held = []
    for i in range(n):
        s = socket.socket()
        s.bind((ATTACKERS[i % len(ATTACKERS)], 0))
        s.settimeout(10)
        s.connect(("127.0.0.1", port))
        if octets:
            s.sendall(octets)
        held.append(s)
    return held


@pytest.mark.parametrize("octets, trusted", [
    (b"", None), (b"POST /v1/messages HT", "127.0.0.1,127.0.0.2"), (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"", "127.0.0.0/8")], ids=["silent", "half a head, two are proxies", "kept alive", "silent, all are proxies"])
def test_half_open_connections_do_not_shut_the_api(attacked, seconds, report, octets, trusted):
    a = attacked({"trusted_proxies": trusted}, source=VICTIM)
    alone = a.victim.measure("alone", seconds)
    with a.memory() as memory, a.victim.sending("beside 5,000 half-open connections") as beside:
        held = hold_connections(a.server.port, HALF_OPEN, octets)
        after = a.victim.measure("held", seconds)
    # Ended connections are closed, not only shut: 2 processes with 2,000 each, and those that ask for metrics.
    harness.wait_for(lambda: a.server.metric("postern_http_connections") <= 4010, 10)
    for s in held:
        s.close()
    report(alone, beside, after, memory=memory)
    hold(beside, alone)
    assert a.server.metric("postern_http_connections_ended_total") > 0
    assert any("http.crowded" in line for line in a.server.log().splitlines())


def get_by_tls(port):
    """The status line of GET /healthz on a new connection from the victim's address."""
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", port), timeout=15, source_address=(VICTIM, 0)) as plain:
        with context.wrap_socket(plain) as s:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return s.recv(100).partition(b"\r\n")[0]


@pytest.mark.parametrize("octets", [b"", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["silent", "half a ClientHello"])
def test_handshakes_that_never_end_do_not_shut_the_api(make_postern, tmp_path, octets):
    cert, key = Certificates(tmp_path).files("ok")
    server = make_postern({"tls_cert": cert, "tls_key": key}, start=False).launch()

    def is_served():
        try:
            return get_by_tls(server.port) == b"HTTP/1.1 200 OK"
        except OSError:
            return False
    harness.wait_for(is_served, 20)
    held = hold_connections(server.port, HALF_OPEN, octets)
    assert [get_by_tls(server.port) for _ in range(20)] == [b"HTTP/1.1 200 OK"] * 20
    for s in held:
        s.close()

"""Fixtures: one server for tests that share (postern), a factory for those that do not (make_postern)."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[0]))

from support import harness  # noqa: E402


class Stack:
    """Stops everything that a test started, in reverse order, and raises the first failure."""

    def __init__(self):
        self.things = []

    def add(self, thing, end=None):
        self.things.append(end or thing.stop)
        return thing

    def close(self):
        failure = None
        for thing in reversed(self.things):
            try:
                thing()
            except AssertionError as e:
                failure = failure or e
        if failure:
            raise failure


@pytest.fixture
def stack():
    s = Stack()
    yield s
    s.close()


@pytest.fixture(scope="session")
def postern(tmp_path_factory):
    """A server with its embedded Redis, for tests that leave no trace that others would mind."""
    server = harness.Postern(tmp_path_factory.mktemp("postern")).start().make_keys()
    server.cli("project", "create", "other")
    server.other_key = server.create_key("other", project="other", test=True)
    server.revoked_key = server.create_key("gone", test=True)
    server.cli("key", "revoke", server.key_id(server.revoked_key))
    yield server
    server.stop()


class World:
    """The outside: a sink, and a DNS server that leads to it. d0.test ... d42.test are its domains."""

    def __init__(self, directory):
        self.sink = harness.Sink(directory / "sink").start()
        self.dns = harness.start_dns(f"d{i}.test" for i in range(43))
        self.settings = {"mx_allow_private": True, "smtp_port": self.sink.port,
                         "dns_servers": f"127.0.0.1@{self.dns.port}"}

    def stop(self):
        self.dns.stop()
        self.sink.stop()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("world"))
    yield w
    w.stop()


@pytest.fixture
def make_redis(tmp_path, stack):
    def make(name="redis", **settings):
        return stack.add(harness.Redis(tmp_path / name, **settings)).start()
    return make


@pytest.fixture
def make_sink(tmp_path, stack):
    def make(*options, name="sink", keep=True):
        return stack.add(harness.Sink(tmp_path / name, *options, keep=keep)).start()
    return make


@pytest.fixture
def make_postern(tmp_path, stack):
    """make(settings={...}, redis=None, start=True, keys=True) -> harness.Postern, stopped at the end.

    crashes: killed at the end, for tests that leave it without a store."""
    def make(settings=None, redis=None, start=True, keys=True, crashes=False):
        server = harness.Postern(tmp_path / f"postern{len(stack.things)}", settings, redis)
        stack.add(server, server.crash if crashes else None)
        if start:
            server.start()
            if keys:
                server.make_keys()
        return server
    return make


@pytest.fixture
def make_server(make_postern, make_sink):
    """make(nodes, **settings): a server on the Redis servers of a cluster or of sentinels. The CLI makes its key by the same URL."""
    def make(nodes, **settings):
        sink = make_sink()
        server = make_postern({"relay_url": f"smtp://127.0.0.1:{sink.port}", "redis_url": nodes.url, "retry_first_s": 1, **settings},
                              start=False, crashes=True)
        server.sink = sink
        server.start()
        server.live_key = server.create_key("live")
        return server
    return make

"""What the tests of attacks share: a server with a victim beside the attacker, and a report of what the attack cost.

HOSTILE_S: how many seconds each phase of a test lasts. `make test` has short phases, `make test-hostile` long ones."""
import json
import os

import pytest

from support import harness
from support.memory import Memory
from support.victim import Victim

REPORT = harness.ROOT / "build" / "hostile.jsonl"


@pytest.fixture(scope="session")
def seconds():
    return float(os.environ.get("HOSTILE_S", "3"))


class Outside:
    """The victim's mail server, alone at its address (victim.test), and a DNS server. A test adds what its attacker needs to
    dns.zone; hosts at another loopback address, with port smtp_port, are sites of their own."""

    def __init__(self, directory):
        self.sink = harness.Sink(directory / "victim", "--host", "127.0.0.5", "--fast", keep=False).start()
        self.smtp_port = self.sink.port
        self.dns = harness.start_dns([])
        self.dns.zone.update({"victim.test": {"MX": ["10 mx.victim.test."]}, "mx.victim.test": {"A": ["127.0.0.5"]}})
        self.settings = {"mx_allow_private": True, "smtp_port": self.smtp_port,
                         "dns_servers": f"127.0.0.1@{self.dns.port}"}

    def stop(self):
        self.dns.stop()
        self.sink.stop()


@pytest.fixture
def outside(tmp_path, stack):
    return stack.add(Outside(tmp_path / "outside"))


class Attacked:
    """A server, its victim, and the key of the attacker, which is of another project."""

    def __init__(self, server, outside, **of_victim):
        self.server, self.outside = server, outside
        self.victim = Victim(server, outside.sink, **of_victim)
        server.cli("project", "create", "attacker", check=False)
        self.key = server.create_key("attacker", project="attacker", scopes="send,read,manage")
        self.test_key = server.create_key("attacker", project="attacker", scopes="send,read,manage", test=True)

    def memory(self):
        return Memory(self.server)


@pytest.fixture
def attacked(make_postern, outside):
    """attacked(settings={...}, redis=None, **of_victim) -> Attacked, with the server started."""
    def make(settings=None, redis=None, **of_victim):
        server = make_postern({**outside.settings, **(settings or {})}, redis=redis, keys=False)
        return Attacked(server, outside, **of_victim)
    return make


@pytest.fixture
def report(request):
    """report(alone, beside, memory=memory, note=…) keeps the figures of a test for the table at the end of the run."""
    def keep(*figures, memory=None, **more):
        REPORT.parent.mkdir(exist_ok=True)
        with open(REPORT, "a", encoding="utf-8") as f:
            f.write(json.dumps({"test": request.node.name, "phases": [g.row() for g in figures],
                                **({"memory_mb": memory.row()} if memory else {}), **more}) + "\n")
    return keep


def pytest_sessionstart():
    REPORT.unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter):
    if not REPORT.exists():
        return
    terminalreporter.section("what the attacks cost")
    for line in REPORT.read_text().splitlines():
        row = json.loads(line)
        terminalreporter.write_line(row.pop("test"))
        for phase in row.pop("phases"):
            terminalreporter.write_line("   " + "  ".join(f"{name} {value}" for name, value in phase.items()))
        for name, value in row.items():
            terminalreporter.write_line(f"   {name}: {value}")

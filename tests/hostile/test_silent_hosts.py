"""Mail servers that accept connections and say nothing, or little, and many domains that lead to them."""
import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import harness
from support.odd_server import OddServer
from support.victim import hold

DOMAINS = 60
CONNECTIONS = 20                               # of each relay
RELAYS = 2


class SlowGreeting(OddServer):
    """Takes mail like any server, but greets after some seconds."""

    async def talk(self, reader, writer):
        await asyncio.sleep(6)
        writer.write(b"220 slow.test ESMTP\r\n")
        while line := await reader.readline():
            if line == b"DATA\r\n":
                writer.write(b"354 go\r\n")
                while await reader.readline() != b".\r\n":
                    pass
            writer.write(b"250 2.0.0 ok\r\n")


class SilentAtMail(OddServer):
    """Greets, and takes EHLO, then says nothing more."""

    async def talk(self, reader, writer):
        writer.write(b"220 silent.test ESMTP\r\n")
        await reader.readline()
        writer.write(b"250 silent.test\r\n")
        await reader.read()


class SilentAtDot(OddServer):
    """Takes a mail, and says nothing to its final dot."""

    async def talk(self, reader, writer):
        writer.write(b"220 silent.test ESMTP\r\n")
        while line := await reader.readline():
            if line == b".\r\n":
                break
            if line.startswith((b"EHLO", b"MAIL", b"RCPT", b"DATA")):
                writer.write(b"354 go\r\n" if line == b"DATA\r\n" else b"250 2.0.0 ok\r\n")
        await reader.read()


def silent_hosts(outside, stack, domains=DOMAINS, kind=OddServer):
    """d0.many.test, d1.many.test, ...: each leads to a silent host at an address of its own."""
    for i in range(domains):
        outside.dns.zone[f"d{i}.many.test"] = {"A": [f"127.0.1.{i + 1}"]}
    return stack.add(kind([f"127.0.1.{i + 1}" for i in range(domains)], outside.smtp_port).start())


def send_to(server, key, addresses, lane="normal"):
    """One message to each. Returns their ids."""
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda to: server.send(to, key=key, lane=lane), addresses))
    assert {r.status for r in responses} == {202}
    return [r.json()["id"] for r in responses]


def wait_idle_end(server):
    """The victim's connections have ended, so that it needs new ones beside the attack."""
    harness.wait_for(lambda: server.metric("postern_smtp_connections") == 0, 30, what="no connection")


def untried_reasons(a, ids):
    """The replies of the mails without a connection, when all of them are deferred; else nothing."""
    recipients = [a.server.message(i, key=a.key)["recipients"][0] for i in ids]
    deferred = [r for r in recipients if r["status"] == "deferred" and r["attempts"] == 0]
    return [r["last_reply"]["text"] for r in deferred] if len(deferred) >= DOMAINS - 4 * RELAYS else None


def test_many_domains_at_one_silent_host_hold_few_connections(attacked, outside, stack, seconds, report):
    pit = stack.add(OddServer("127.0.0.9", outside.smtp_port).start())
    outside.dns.zone["*.many.test"] = {"A": ["127.0.0.9"]}
    a = attacked({"workers_relay": RELAYS, "relay_connections": CONNECTIONS, "connecting_per_address": 4,
                  "retry_first_otp_s": 600, "retry_first_s": 900})
    alone = a.victim.measure("alone", seconds)
    wait_idle_end(a.server)
    ids = send_to(a.server, a.key, [f"x@d{i}.many.test" for i in range(DOMAINS)], lane="otp")
    harness.wait_for(lambda: pit.open >= 4, 30, what="connections to the silent host")
    beside = a.victim.measure("beside", seconds)
    report(alone, beside, connections_of_attacker=pit.most)
    hold(beside, alone)
    assert pit.most <= 4 * RELAYS
    # Those that got no connection are deferred, without an attempt. The others still wait for the greeting.
    reasons = harness.wait_for(lambda: untried_reasons(a, ids), 60, 0.5, what="deferred mail")
    assert any("had no greeting" in r for r in reasons), reasons
    assert all("had no greeting" in r or "other mail waited" in r for r in reasons), reasons
    assert a.server.metric("postern_smtp_silent_addresses_total") > 0


def test_silent_hosts_at_many_addresses_leave_connections_for_other_projects(attacked, outside, stack, seconds, report):
    pit = silent_hosts(outside, stack)
    a = attacked({"workers_relay": RELAYS, "relay_connections": CONNECTIONS})
    alone = a.victim.measure("alone", seconds)
    wait_idle_end(a.server)
    send_to(a.server, a.key, [f"x@d{i}.many.test" for i in range(DOMAINS)], lane="otp")
    harness.wait_for(lambda: pit.open >= CONNECTIONS, 30, what="connections to the silent hosts")
    beside = a.victim.measure("beside", seconds)
    report(alone, beside, connections_of_attacker=pit.most)
    hold(beside, alone)
    assert pit.most <= RELAYS * CONNECTIONS * 5 // 6


def test_silent_connections_of_a_project_yield_to_its_own_mail(attacked, outside, stack):
    pit = silent_hosts(outside, stack)
    a = attacked({"workers_relay": 1, "relay_connections": 8})
    send_to(a.server, a.key, [f"x@d{i}.many.test" for i in range(DOMAINS)])
    harness.wait_for(lambda: pit.open >= 5, 30, what="connections to the silent hosts")
    # A greeting has 300 s. Silent connections yield after 30 s, and there are too many for the mail to find one before that.
    message = a.server.deliver("x@victim.test", key=a.key, lane="otp", timeout=100)
    assert message["status"] == "delivered" and message["recipients"][0]["attempts"] == 1
    assert a.server.metric("postern_smtp_connections_yielded_total") > 0


def test_a_server_that_greets_slowly_gets_its_mail_while_nobody_waits(attacked, outside, stack):
    slow = stack.add(SlowGreeting("127.0.0.9", outside.smtp_port).start())
    outside.dns.zone["slow.test"] = {"A": ["127.0.0.9"]}
    a = attacked({"workers_relay": 1, "relay_connections": 4})
    victim = a.victim.measure("beside", 1)
    message = a.server.deliver("x@slow.test", key=a.key, timeout=60)
    assert message["status"] == "delivered" and message["recipients"][0]["attempts"] == 1
    assert slow.total == 1 and victim.lost == 0
    assert a.server.metric("postern_smtp_connections_yielded_total") == 0


@pytest.mark.parametrize("kind, reason", [(OddServer, "no greeting within"), (SilentAtMail, "no reply to MAIL within")],
                         ids=["no greeting", "no reply to MAIL"])
def test_silent_connections_yield_when_projects_hold_all(attacked, outside, stack, seconds, report, kind, reason):
    limit, attackers, ids = 8, 6, []
    pit = silent_hosts(outside, stack, kind=kind)
    a = attacked({"workers_relay": 1, "relay_connections": limit}, lane="normal")
    alone = a.victim.measure("alone", seconds)
    wait_idle_end(a.server)
    for n in range(attackers):
        a.server.cli("project", "create", f"attacker{n}")
        key = a.server.create_key("attacker", project=f"attacker{n}", scopes="send,read")
        ids += [(id, key) for id in send_to(a.server, key, [f"x@d{i}.many.test" for i in range(n, DOMAINS, attackers)])]
    harness.wait_for(lambda: pit.open >= limit - 1, 30, what="no free connection")
    a.server.deliver("first@victim.test", key=a.victim.key, lane="normal", timeout=60)  # some have to yield
    beside = a.victim.measure("beside", max(seconds, 8))  # longer than a connection is silent before it yields
    report(alone, beside, connections_of_attackers=pit.most, yielded=a.server.metric("postern_smtp_connections_yielded_total"))
    hold(beside, alone)
    assert a.server.metric("postern_smtp_connections_yielded_total") > 0
    recipients = [a.server.message(id, key=key)["recipients"][0] for id, key in ids]
    deferred = [r for r in recipients if r["status"] == "deferred" and reason in r["last_reply"]["text"]]
    assert deferred and all("other mail waited" in r["last_reply"]["text"] and r["attempts"] == 1 for r in deferred), recipients


def test_several_silent_connections_yield_at_a_time_and_each_once(attacked, outside, stack):
    limit, attackers, domains = 64, 6, 90
    silent_hosts(outside, stack, domains)
    a = attacked({"workers_relay": 1, "relay_connections": limit, "retry_first_s": 900})
    for n in range(attackers):
        a.server.cli("project", "create", f"attacker{n}")
        key = a.server.create_key("attacker", project=f"attacker{n}")
        send_to(a.server, key, [f"x@d{i}.many.test" for i in range(n, domains, attackers)])

    def yields():
        return [m["address"] for m in a.server.log_lines() if m.get("fact") == "connection.yielded"]
    harness.wait_for(lambda: len(yields()) >= limit // 16 + 1, 60, what="connections that yielded")
    addresses = yields()                       # each host has an address of its own, and one mail
    assert len(set(addresses)) == len(addresses), addresses


def test_mail_of_lane_otp_without_a_connection_is_reported_by_readyz(attacked, outside, stack):
    """A connection that waits for the reply to the dot does not yield: the mail could arrive twice."""
    pit = stack.add(SilentAtDot("127.0.0.9", outside.smtp_port).start())
    outside.dns.zone["silent.test"] = {"A": ["127.0.0.9"]}
    a = attacked({"workers_relay": 1, "relay_connections": 1})
    send_to(a.server, a.key, ["x@silent.test"])
    harness.wait_for(lambda: pit.open == 1, 30, what="the only connection")
    send_to(a.server, a.victim.key, ["ada@victim.test"], lane="otp")
    harness.wait_for(lambda: a.server.request("GET", "/readyz", key=None).status == 503, 60, what="/readyz says 503")
    assert "lane otp" in a.server.internal("/readyz").json()["reason"]
    pit.stop()
    stack.things.remove(pit.stop)
    a.server.wait_ready(60)
    assert outside.sink.wait_taken("ada@victim.test", timeout=60)

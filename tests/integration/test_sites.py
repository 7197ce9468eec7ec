"""Sites that are slow, dead, full, or this host itself, and their effect on other sites."""
import concurrent.futures
import os
import signal
import socket

import pytest

from support import harness, odd_server

GOOD = [f"g{i}.test" for i in range(200)]
RELAYS = 2


@pytest.fixture
def outside(make_sink, stack, tmp_path):
    """A good sink, and a DNS with names for servers on other loopback addresses: .tar(), .zone ..."""
    class Outside:
        def __init__(self):
            self.sink = make_sink(keep=False)
            self.dns = stack.add(harness.start_dns(GOOD))
            self.settings = {"mx_allow_private": True, "smtp_port": self.sink.port, "workers_relay": RELAYS,
                             "dns_servers": f"127.0.0.1@{self.dns.port}"}

        def name(self, domain, *addresses):
            """domain gets an MX a word of addresses ("127.0.0.4"), or each of equal preference in a tuple."""
            mx = []
            for i, words in enumerate(addresses):
                for address in [words] if isinstance(words, str) else words:
                    host = f"mx{address.replace('.', '-')}.{domain}"
                    self.dns.zone[host] = {"A": [address]}
                    mx.append(f"{i * 10 + 10} {host}.")
            self.dns.zone[domain] = {"MX": mx}

        def serve(self, kind, address, **how):
            return stack.add(kind(address, self.sink.port, **how).start())

        def replace(self, server, *options):
            """A good sink where server was."""
            server.stop()
            stack.things.remove(server.stop)
            sink = harness.Sink(tmp_path / server.host, "--host", server.host, *options, keep=False)
            sink.port = server.port
            return stack.add(sink).start()
    return Outside()


def send_many(server, n, domain):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: server.send(f"u{i}@{domain}", key=server.live_key), range(n)))
    assert {a.status for a in answers} == {202}
    return [a.json()["id"] for a in answers]


def statuses(server, ids):
    return [server.message(i, key=server.live_key)["status"] for i in ids]


# ---- a bad site delays no other ----

def test_a_tar_pit_and_a_dead_site_delay_no_other_site(make_postern, outside, stack):
    pits = {"silent.test": outside.serve(odd_server.OddServer, "127.0.0.4"), "drip.test": outside.serve(odd_server.Drip, "127.0.0.5")}
    stack.add(odd_server.Deaf("127.0.0.6", outside.sink.port))
    for i, domain in enumerate(("silent.test", "drip.test", "deaf.test", "refused.test")):
        outside.name(domain, f"127.0.0.{4 + i}")
    server = make_postern(outside.settings, crashes=True)
    bad = {domain: send_many(server, 700, domain) for domain in (*pits, "deaf.test", "refused.test")}
    for pit in pits.values():
        harness.wait_for(lambda p=pit: p.open > 0, 30, what="a connection to the tar pit")
    for i, domain in enumerate(GOOD):
        assert server.send(f"ok-{i}@{domain}", key=server.live_key).status == 202
    harness.wait_for(lambda: len(outside.sink.taken()) == len(GOOD), 60, what="the mails to the others")
    for domain, pit in pits.items():
        assert 1 <= pit.open <= pit.most <= RELAYS, (domain, pit.open, pit.most)
        assert "delivered" not in statuses(server, bad[domain][:50])


def test_a_busy_site_leaves_connections_for_sites_without_one(make_postern, outside):
    server = make_postern({**outside.settings, "workers_relay": 1, "relay_connections": 8})
    slow = [server.send(f"slow_dot_1000-{i}@g0.test", key=server.live_key).json()["id"] for i in range(60)]
    outside.name("other.test", "127.0.0.1")
    harness.wait_for(lambda: server.metric("postern_smtp_connections") >= 3, 30, what="more connections")
    harness.wait_for(lambda: len(outside.sink.taken()) >= 10, 30, what="the first mails")
    assert server.deliver("ok-x@other.test", key=server.live_key, timeout=60)["status"] == "delivered"
    assert "delivered" not in statuses(server, slow[-1:])


def test_many_domains_at_one_good_host_get_their_mail_though_few_may_connect_at_once(make_postern, outside):
    outside.dns.zone["*.shared.test"] = {"A": ["127.0.0.1"]}    # each domain is a site of its own
    server = make_postern({**outside.settings, "connecting_per_address": 1, "workers_relay": 1})
    to = [f"ok-{i}@d{i}.shared.test" for i in range(60)]
    ids = [server.send(address, key=server.live_key).json()["id"] for address in to]
    messages = [server.wait_terminal(i, key=server.live_key, timeout=60) for i in ids]
    assert {m["status"] for m in messages} == {"delivered"} and {m["recipients"][0]["attempts"] for m in messages} == {1}
    assert server.metric("postern_smtp_silent_addresses_total") == 0


# ---- a site that cannot be reached is left alone ----

SHORT_RESTS = {"retry_first_otp_s": 6, "retry_first_s": 12}     # the first rest is 2 s


def all_deferred(server, ids):
    found = []
    for i in ids:
        message = server.wait_status(i, "deferred", key=server.live_key, timeout=40)
        found += message["recipients"]
    return found


@pytest.mark.parametrize("verb, words, told", [
    (None, "421 4.3.2 too many connections", "4.3.2 too many"), (None, "554 5.7.1 go away", "5.7.1 go away"),
    (None, "450 4.3.2 later", "4.3.2 later"), (None, "HTTP/1.1 400 Bad Request", "protocol error at greeting"),
    ("EHLO", "421 4.7.0 not now", "4.7.0 not now"), ("MAIL", "421 4.7.0 slow down", "4.7.0 slow down")])
def test_a_site_that_refuses_connections_is_not_tried_again_for_each_mail(make_postern, outside, verb, words, told):
    door = outside.serve(odd_server.Says, "127.0.0.4", words=words, verb=verb)
    outside.name("shut.test", "127.0.0.4")
    server = make_postern({**outside.settings, "retry_first_otp_s": 600, "retry_first_s": 900})
    ids = send_many(server, 150, "shut.test")
    recipients = all_deferred(server, ids)
    assert 1 <= door.total <= 2 * RELAYS, door.total
    untried = [r for r in recipients if r["attempts"] == 0]
    assert len(untried) >= 150 - 2 * RELAYS
    for r in recipients:
        assert r["next_attempt_at"] and told in r["last_reply"]["text"], r
    assert all("not tried" in r["last_reply"]["text"] for r in untried)


@pytest.mark.parametrize("partitions", [1, 3])
def test_after_a_rest_the_mails_of_a_site_that_came_back_are_delivered(make_postern, outside, partitions):
    door = outside.serve(odd_server.Says, "127.0.0.4")
    outside.name("back.test", "127.0.0.4")
    server = make_postern({**outside.settings, **SHORT_RESTS, "partitions": partitions})
    ids = send_many(server, 150, "back.test")
    all_deferred(server, ids)
    harness.wait_for(lambda: door.total > RELAYS * partitions, 60, what="another try")
    assert door.most <= RELAYS * partitions
    outside.replace(door)
    for i in ids:
        assert server.wait_terminal(i, key=server.live_key, timeout=60)["status"] == "delivered"


def test_mail_that_waits_for_the_end_of_a_rest_expires_at_its_deadline(make_postern, outside):
    outside.serve(odd_server.Says, "127.0.0.4")
    outside.name("shut.test", "127.0.0.4")
    server = make_postern({**outside.settings, "retry_first_otp_s": 600, "retry_first_s": 900, "default_deadline_s": 4})
    ids = send_many(server, 20, "shut.test")
    all_deferred(server, ids)
    for i in ids:
        message = server.wait_terminal(i, key=server.live_key, timeout=30)
        assert message["status"] == "expired" and message["recipients"][0]["last_event_at"] >= message["deadline"]


def test_a_retry_by_request_does_not_wait_for_the_end_of_a_rest(make_postern, outside):
    door = outside.serve(odd_server.Says, "127.0.0.4")
    outside.name("asked.test", "127.0.0.4")
    server = make_postern({**outside.settings, "retry_first_otp_s": 600, "retry_first_s": 900})
    ids = send_many(server, 10, "asked.test")
    all_deferred(server, ids)
    outside.replace(door)
    for i in ids:
        assert server.request("POST", f"/v1/messages/{i}/retry", key=server.live_key).status == 200
        assert server.wait_terminal(i, key=server.live_key)["status"] == "delivered"


def test_mails_wait_together_while_the_dns_does_not_respond(make_postern, outside):
    outside.name("lost.test", "127.0.0.1")
    fine, outside.dns.zone["lost.test"] = outside.dns.zone["lost.test"], {"fault": "servfail"}
    server = make_postern({**outside.settings, **SHORT_RESTS})
    ids = send_many(server, 150, "lost.test")
    recipients = all_deferred(server, ids)
    assert sum(r["attempts"] == 0 for r in recipients) >= 100, recipients
    outside.dns.zone["lost.test"] = fine
    for i in ids:
        assert server.wait_terminal(i, key=server.live_key, timeout=60)["status"] == "delivered"


# ---- the next host, and no further ----

REFUSALS = {"a 4xx greeting": (None, "450 4.3.2 later"), "a 5xx greeting": (None, "554 5.7.1 go away"), "another protocol": (None, "HTTP/1.1 400 Bad Request"),
            "no word": (None, ""), "421 to EHLO": ("EHLO", "421 4.3.2 full")}


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_if_a_host_refuses_the_session_the_next_one_gets_the_mail(make_postern, outside, name):
    verb, words = REFUSALS[name]
    door = outside.serve(odd_server.Says, "127.0.0.4", words=words, verb=verb)
    outside.name("two.test", "127.0.0.4", "127.0.0.1")
    server = make_postern(outside.settings)
    message = server.deliver("ok-x@two.test", key=server.live_key)
    assert message["status"] == "delivered" and message["recipients"][0]["attempts"] == 1 and door.total >= 1


def test_an_attempt_has_at_most_two_sessions_and_tries_five_addresses(make_postern, outside):
    doors = [outside.serve(odd_server.Says, f"127.0.0.{n}", words="450 4.3.2 later") for n in range(10, 14)]
    outside.name("four.test", *(d.host for d in doors))
    outside.dns.zone["many.test"] = {"A": [f"127.0.1.{n}" for n in range(1, 101)]}
    server = make_postern({**outside.settings, "workers_relay": 1})
    ids = [server.send(f"x@{d}", key=server.live_key).json()["id"] for d in ("four.test", "many.test")]
    all_deferred(server, ids)
    assert [d.total for d in doors] == [1, 1, 0, 0]
    tried = {line["address"] for line in server.log_lines() if line.get("fact") == "host.failed" and line["site"] == "many.test"}
    assert len(tried) == 5


def test_hosts_of_equal_preference_are_tried_in_any_order(make_postern, outside):
    doors = [outside.serve(odd_server.Says, f"127.0.0.{n}", words="450 4.3.2 later") for n in (10, 11)]
    for i in range(30):
        outside.dns.zone[f"e{i}.test"] = {"MX": ["10 a.equal.test.", "10 b.equal.test."]}
    outside.dns.zone.update({"a.equal.test": {"A": ["127.0.0.10"]}, "b.equal.test": {"A": ["127.0.0.11"]}})
    server = make_postern({**outside.settings, "retry_first_otp_s": 1, "retry_first_s": 1, "retry_max_s": 1})
    server.send("x@e0.test", key=server.live_key)
    harness.wait_for(lambda: all(d.total for d in doors), 60, what="both hosts")
    firsts = {line["address"] for line in server.log_lines() if line.get("fact") == "host.failed"}
    assert len(firsts) == 2


@pytest.mark.parametrize("verb, words", [
    ("MAIL", "452 4.3.1 no space"), ("RCPT", "450 4.3.2 not now"), ("RCPT", "451 4.7.1 your host has no name"),
    ("DATA", "451 4.3.0 no"), (".", "451 4.3.0 queue is full"), ("MAIL", "421 4.3.2 closing")])
def test_after_a_temporary_refusal_the_next_host_is_tried_at_once(make_postern, outside, verb, words):
    first = outside.serve(odd_server.Picky, "127.0.0.4", words=words, verb=verb)
    outside.name("pair.test", "127.0.0.4", "127.0.0.1")
    server = make_postern({**outside.settings, "workers_relay": 1, "site_connections": 1})
    messages = [server.deliver(f"ok-{i}@pair.test", key=server.live_key) for i in range(3)]
    assert all(m["status"] == "delivered" and m["recipients"][0]["attempts"] == 1 for m in messages)
    assert first.total >= 1 and len(outside.sink.taken()) == 3
    hosts = [server.request("GET", f"/v1/messages/{m['id']}/attempts", key=server.live_key).json()["data"] for m in messages]
    passed_on, last = next(h for h in hosts if len(h) == 2)
    assert passed_on["remote"]["ip"] == "127.0.0.4" and last["remote"]["ip"] == "127.0.0.1"
    assert passed_on["recipients"] == [] and passed_on["reply"]["code"] == int(words[:3]) and passed_on["reply"]["text"] == words[4:]
    assert (passed_on["attempt"], last["attempt"]) == (1, 1) and last["recipients"][0]["status"] == "delivered"


@pytest.mark.parametrize("words", ["450 4.2.0 Greylisted", "450 4.7.1 try again in 5 minutes", "452 4.2.2 mailbox full"])
def test_a_refusal_of_this_recipient_alone_does_not_go_to_the_next_host(make_postern, outside, words):
    outside.serve(odd_server.Picky, "127.0.0.4", words=words, verb="RCPT")
    outside.name("pair.test", "127.0.0.4", "127.0.0.1")
    server = make_postern(outside.settings)
    message = server.wait_status(server.send("ok-x@pair.test", key=server.live_key).json()["id"], "deferred", key=server.live_key)
    assert message["recipients"][0]["last_reply"]["text"] == words[4:] and not outside.sink.rows()


def test_the_mail_is_deferred_if_all_hosts_refuse_temporarily(make_postern, outside):
    doors = [outside.serve(odd_server.Picky, f"127.0.0.{n}", words=f"451 4.3.0 from {n}", verb="MAIL") for n in (4, 5)]
    outside.name("pair.test", "127.0.0.4", "127.0.0.5")
    server = make_postern({**outside.settings, "workers_relay": 1})
    message = server.wait_status(server.send("x@pair.test", key=server.live_key).json()["id"], "deferred", key=server.live_key)
    assert message["recipients"][0]["attempts"] == 1 and message["recipients"][0]["last_reply"]["text"] == "4.3.0 from 5"
    assert [d.total for d in doors] == [1, 1]


@pytest.mark.parametrize("words", ["452 4.5.3 Too many recipients", "552 Too many recipients", "550 5.5.3 Too many recipients",
                                   "452 try again later"])
def test_recipients_above_the_limit_of_a_transaction_go_into_the_next_at_once(make_postern, outside, words):
    host = outside.serve(odd_server.Picky, "127.0.0.4", words=words, limit=10)
    outside.name("few.test", "127.0.0.4")
    server = make_postern({**outside.settings, "workers_relay": 1})
    to = [f"u{i}@few.test" for i in range(50)]
    message = server.deliver(to, key=server.live_key)
    assert message["status"] == "delivered" and {r["attempts"] for r in message["recipients"]} == {1}
    assert [len(t) for t in host.taken] == [10] * 5 and sorted(sum(host.taken, [])) == sorted(to)


def test_the_mail_is_deferred_if_a_host_accepts_no_recipient(make_postern, outside):
    host = outside.serve(odd_server.Picky, "127.0.0.4", words="452 4.5.3 Too many recipients", limit=0)
    outside.name("none.test", "127.0.0.4")
    server = make_postern(outside.settings)
    id = server.send(["a@none.test", "b@none.test"], key=server.live_key).json()["id"]
    message = server.wait_status(id, "deferred", key=server.live_key)
    assert {r["attempts"] for r in message["recipients"]} == {1} and not host.taken


def test_a_host_that_failed_is_not_tried_again_in_the_same_attempt(make_postern, outside):
    outside.serve(odd_server.Picky, "127.0.0.5", words="451 4.3.0 later", verb="MAIL")
    outside.name("pair.test", "127.0.0.4", "127.0.0.5")
    server = make_postern({**outside.settings, "workers_relay": 1})
    id = server.send("x@pair.test", key=server.live_key).json()["id"]
    message = server.wait_status(id, "deferred", key=server.live_key)
    assert message["recipients"][0]["last_reply"]["text"] == "4.3.0 later"
    attempts = server.request("GET", f"/v1/messages/{id}/attempts", key=server.live_key).json()["data"]
    assert [a["remote"]["ip"] for a in attempts] == ["127.0.0.4", "127.0.0.5"]


def test_a_crash_in_the_second_transaction_does_not_repeat_the_first(make_postern, outside):
    host = outside.serve(odd_server.Picky, "127.0.0.4", words="452 4.5.3 Too many recipients", limit=1, silent_at=2)
    outside.name("few.test", "127.0.0.4")
    server = make_postern({**outside.settings, "workers_relay": 1})
    id = server.send(["a@few.test", "b@few.test"], key=server.live_key).json()["id"]
    harness.wait_for(lambda: host.n_mails == 2, 30, what="the second transaction")
    for pid in server.children("relay"):
        os.kill(pid, signal.SIGKILL)
    message = server.wait_terminal(id, key=server.live_key, timeout=60)
    assert host.taken == [["a@few.test"], ["b@few.test"]]
    assert [(r["status"], r["attempts"], "possible_duplicate" in r) for r in message["recipients"]] == [
        ("delivered", 1, False), ("delivered", 2, True)]


def test_recipients_accepted_by_one_host_are_not_sent_to_the_next(make_postern, outside):
    """The first host takes one recipient, and refuses the other for now."""
    first = outside.serve(odd_server.Picky, "127.0.0.4", words="451 4.3.2 not now", limit=1)
    outside.name("pair.test", "127.0.0.4", "127.0.0.1")
    server = make_postern({**outside.settings, "workers_relay": 1})
    message = server.deliver(["ok-a@pair.test", "ok-b@pair.test"], key=server.live_key)
    assert message["status"] == "delivered" and [r["attempts"] for r in message["recipients"]] == [1, 1]
    assert first.taken == [["ok-a@pair.test"]]
    assert not outside.sink.rows("ok-a@pair.test") and len(outside.sink.taken("ok-b@pair.test")) == 1


def test_a_job_is_before_its_dot_again_after_a_host_refused_the_dot(make_postern, outside):
    """Else its outcome would be unknown if the relay died at the next host."""
    outside.serve(odd_server.Picky, "127.0.0.4", words="451 4.3.2 not now", verb=".")
    silent = outside.serve(odd_server.OddServer, "127.0.0.5")
    outside.name("dots.test", "127.0.0.4", "127.0.0.5")
    server = make_postern({**outside.settings, "workers_relay": 1})
    assert server.send("x@dots.test", key=server.live_key).status == 202
    harness.wait_for(lambda: silent.open, 20, what="the next host")
    with harness.RedisClient(server.redis_socket) as redis:
        leases = redis("HVALS", "pn:{p0}:lease")
    assert [lease.split()[1] for lease in leases] == [b"0"], leases


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_an_mx_that_wants_a_login_bounces(make_postern, outside, verb):
    outside.serve(odd_server.Picky, "127.0.0.4", words="530 5.7.0 Authentication required", verb=verb)
    outside.name("login.test", "127.0.0.4")
    server = make_postern(outside.settings)
    message = server.deliver("x@login.test", key=server.live_key)
    assert message["status"] == "bounced" and message["recipients"][0]["last_reply"]["code"] == 530


@pytest.mark.parametrize("second, status", [("50000000", "delivered"), ("20000", "bounced")])
def test_a_mail_too_large_for_one_host_goes_to_the_next(make_postern, outside, make_sink, second, status):
    big = "x" * 70 + "\n"
    small = make_sink("--host", "127.0.0.4", "--size", "10000", "--port", str(outside.sink.port), name="small")
    other = make_sink("--host", "127.0.0.5", "--size", second, "--port", str(outside.sink.port), name="other")
    outside.name("sizes.test", "127.0.0.4", "127.0.0.5")
    server = make_postern({**outside.settings, "workers_relay": 1})
    assert server.deliver("ok-little@sizes.test", key=server.live_key)["status"] == "delivered"
    message = server.deliver("ok-large@sizes.test", key=server.live_key, text=big * 1000)
    assert message["status"] == status, message
    assert small.taken("ok-little@sizes.test") and not small.rows("ok-large@sizes.test")
    assert len(other.taken("ok-large@sizes.test")) == (status == "delivered")
    if status == "bounced":
        reply = message["recipients"][0]["last_reply"]
        assert "code" not in reply and "the server takes at most" in reply["text"]
    assert server.deliver("ok-again@sizes.test", key=server.live_key)["status"] == "delivered"


def test_a_mail_too_large_for_the_reachable_host_waits_for_the_other(make_postern, outside, make_sink):
    make_sink("--host", "127.0.0.4", "--size", "10000", "--port", str(outside.sink.port), name="small")
    outside.name("sizes.test", "127.0.0.4", "127.0.0.9")
    server = make_postern({**outside.settings, "workers_relay": 1})
    answer = server.send("ok-large@sizes.test", key=server.live_key, text=("x" * 70 + "\n") * 1000)
    server.wait_status(answer.json()["id"], "deferred", key=server.live_key)
    assert server.deliver("ok-little@sizes.test", key=server.live_key)["status"] == "delivered"


# ---- this host itself ----

@pytest.mark.parametrize("verb, words", [(None, "220 postern.test ESMTP"), (None, "220 POSTERN.TEST"), ("EHLO", "250-Postern.Test\r\n250 SIZE")])
def test_a_host_with_our_name_is_a_loop(make_postern, outside, verb, words):
    outside.serve(odd_server.Says, "127.0.0.4", words=words, verb=verb)
    outside.name("us.test", "127.0.0.4", "127.0.0.1")
    outside.name("backup.test", "127.0.0.9", "127.0.0.4")
    server = make_postern(outside.settings)
    for domain, status, said in (("us.test", "bounced", "come back to this host"), ("backup.test", "deferred", "the next MX is this host")):
        answer = server.send(f"ok-x@{domain}", key=server.live_key)
        message = server.wait_status(answer.json()["id"], status, key=server.live_key)
        assert said in message["recipients"][0]["last_reply"]["text"]
    assert not outside.sink.rows()


def test_a_relay_may_have_our_name(make_postern, outside):
    """It may be on the same machine."""
    sink = outside.replace(outside.serve(odd_server.OddServer, "127.0.0.4"), "--greeting", "220 postern.test ESMTP")
    server = make_postern({**outside.settings, "relay_url": f"smtp://127.0.0.4:{sink.port}"})
    assert server.deliver("ok-x@anywhere.test", key=server.live_key)["status"] == "delivered"


def test_mx_hosts_of_lower_preference_than_this_host_are_not_tried(make_postern, outside):
    outside.dns.zone["first.test"] = {"MX": ["10 postern.test.", "20 mx.test."]}
    outside.dns.zone["second.test"] = {"MX": ["10 mx.test.", "20 postern.test.", "30 dead.test."]}
    server = make_postern(outside.settings)
    message = server.deliver("ok-x@first.test", key=server.live_key)
    assert message["status"] == "bounced" and "come back to this host" in message["recipients"][0]["last_reply"]["text"]
    assert server.deliver("ok-x@second.test", key=server.live_key)["status"] == "delivered"


# ---- our name in EHLO ----

def test_without_a_full_name_ehlo_sends_the_address_and_readyz_warns(make_postern, outside):
    outside.name("named.test", "127.0.0.1")
    server = make_postern({**outside.settings, "helo_name": ""})
    assert server.deliver("ok-x@named.test", key=server.live_key)["status"] == "delivered"
    row, = outside.sink.taken("ok-x@named.test")
    ready = server.internal("/readyz").json()
    if "." in socket.gethostname():  # this machine has a full name
        assert row["helo"] == socket.gethostname() and "warnings" not in ready
    else:
        assert row["helo"] == "[127.0.0.1]" and "POSTERN_HELO_NAME" in ready["warnings"][0]
        assert sum("config.no_helo_name" in line for line in server.log().splitlines()) == 1


def test_an_mx_host_with_an_underscore_in_its_name_is_delivered_to(make_postern, outside):
    outside.dns.zone["under.test"] = {"MX": ["10 mx_1.under.test."]}
    outside.dns.zone["mx_1.under.test"] = {"A": ["127.0.0.1"]}
    server = make_postern(outside.settings)
    assert server.deliver("ok-x@under.test", key=server.live_key)["status"] == "delivered"


# ---- slots ----

def test_a_slot_whose_grant_was_lost_is_removed(make_postern, make_redis, outside):
    redis = make_redis()
    server = make_postern({**outside.settings, "workers_relay": 1, "site_connections": 1}, redis=redis)
    server.deliver("ok-first@g0.test", key=server.live_key)
    harness.wait_for(lambda: not redis("HKEYS", "pn:{p0}:slots"), 30, what="the end of the first connection")
    owner, = redis("ZRANGE", "pn:{p0}:owners", 0, -1)
    site = "mx.test"
    redis("HSET", f"pn:{{p0}}:slots:{owner.decode()}", site, 1)
    redis("HSET", "pn:{p0}:slots", site, 1)
    redis("SADD", "pn:{p0}:full", site)
    server.deliver("ok-second@g0.test", key=server.live_key, timeout=60)


def test_a_drain_that_is_cut_off_leaves_no_connection_open(make_postern, outside):
    """stop() reads the reports of the sanitizers."""
    pit = outside.serve(odd_server.OddServer, "127.0.0.4")
    outside.name("silent.test", "127.0.0.4")
    server = make_postern({**outside.settings, "drain_s": 1})
    assert server.send("slow_dot_60000-x@g0.test", key=server.live_key).status == 202
    assert server.send("x@silent.test", key=server.live_key).status == 202
    outside.sink.wait_begun("slow_dot_60000-x@g0.test")
    harness.wait_for(lambda: pit.open, what="a connection to the tar pit")
    server.stop()
    assert "role.drain_cut" in server.log()

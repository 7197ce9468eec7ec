"""GET /v1/messages/{id}/attempts: the fields that an attempt shows, and those it must not show."""
import base64
import datetime
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from support import harness
from test_openapi import hold

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import talk  # noqa: E402

USER, PASSWORD = "relay-user", "canary of a password"
PASSWORD_64 = base64.b64encode(PASSWORD.encode()).decode()
PLAIN_64 = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
HELLO = """
> 220 talk.test ESMTP
< EHLO
> 250-talk.test
> 250 SIZE 1000000
"""


class Host(talk.Server):
    """One connection of a talk that accepts any mail."""

    def do_data(self, _):
        while b"\r\n.\r\n" not in b"\r\n" + self.rest:
            self.more()
        self.rest = (b"\r\n" + self.rest).split(b"\r\n.\r\n", 1)[1]


class TalkServer:
    """Plays one talk after the other, one for each connection; all later connections get the last one."""

    def __init__(self, directory, certificates, talks):
        self.talks, self.certificates, self.faults = [], certificates, []
        for i, text in enumerate(talks):
            path = directory / f"{len(list(directory.iterdir()))}-{i}.talk"
            path.write_text(text)
            self.talks.append(talk.Talk(path))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def start(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        n = 0
        while True:
            try:
                s = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.play, args=(s, self.talks[min(n, len(self.talks) - 1)]), daemon=True).start()
            n += 1

    def play(self, s, t):
        host = Host(s, t, self.certificates)
        try:
            host.play()
        except (talk.TalkError, OSError) as e:
            self.faults.append(e)
        finally:
            host.sock.close()

    def stop(self):
        self.listener.close()
        assert not self.faults, self.faults


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return talk.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def make_host(tmp_path, stack, certificates):
    directory = tmp_path / "talks"
    directory.mkdir()
    return lambda *talks: stack.add(TalkServer(directory, certificates, talks)).start()


@pytest.fixture
def to_host(make_host, make_postern, world):
    """to_host(talk, ...) -> a Postern whose MX hosts all play it."""
    def make(*talks, **settings):
        return make_postern({**world.settings, "smtp_port": make_host(*talks).port, **settings})
    return make


@pytest.fixture(scope="module")
def server(world, tmp_path_factory):
    s = harness.Postern(tmp_path_factory.mktemp("postern"), {**world.settings, "retry_first_s": 1, "retry_first_otp_s": 1})
    s.start().make_keys()
    s.cli("project", "create", "other")
    s.other_key = s.create_key("other", project="other")
    yield s
    s.stop()


@pytest.fixture(scope="module", autouse=True)
def unanswered(world, tmp_path_factory):
    """(server, id): a mail to a host that does not respond. It is sent before the first test, for the last one."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    queue = [socket.socket() for _ in range(4)]
    for s in queue:
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", port))
    s = harness.Postern(tmp_path_factory.mktemp("unanswered"), {**world.settings, "smtp_port": port, "workers_api": 1, "workers_relay": 1})
    s.start().make_keys()
    yield s, s.send("x@d0.test", key=s.live_key).json()["id"]
    s.stop()
    for c in [listener, *queue]:
        c.close()


def attempts_of(server, id, key=None):
    answer = server.request("GET", f"/v1/messages/{id}/attempts", key=key or server.live_key)
    hold(answer, "get", "/v1/messages/{id}/attempts")
    assert answer.status == 200, answer
    for a in answer.json()["data"]:
        check(a)
    return answer.json()["data"]


def check(a):
    """Checks that hold for every attempt."""
    if a["started_at"] is None:
        return
    assert sum(a["steps_ms"].values()) <= a["duration_ms"]
    assert (a["remote"] is None) <= (a["source_ip"] is None)
    started = datetime.datetime.fromisoformat(a["started_at"].replace("Z", "+00:00"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - started).total_seconds()) < 300
    times = [int(line.split(" ")[0]) for line in a["transcript"] or []]
    assert times == sorted(times)


def attempt(server, to, status, **fields):
    """The one attempt of a message that came to this status, once its transcript is there."""
    answer = server.send(to, key=server.live_key, **fields)
    server.wait_status(answer.json()["id"], status, key=server.live_key)

    def told():
        found = attempts_of(server, answer.json()["id"])
        return len(found) == 1 and (status == "delivered" or found[0]["transcript"]) and found
    return harness.wait_for(told, 10, what="the attempt")[0]


def words(a):
    """The transcript without its times."""
    return [line.split(" ", 1)[1] for line in a["transcript"]]


# ---- facts and transcripts ----

def test_an_attempt_of_a_delivered_mail_has_facts_and_no_transcript(to_host):
    taken = HELLO + "< MAIL\n> 250 ok\n< RCPT\n> 250 ok\n< DATA\n> 354 go\ndata\n> 250 2.0.0 taken\n"
    again = taken.split("250 SIZE 1000000\n")[1]
    server = to_host(taken + again, workers_relay=1)
    first = attempt(server, "one@d0.test", "delivered")
    assert list(first["steps_ms"]) == [s for s in ("dns", "wait", "connect", "greeting", "ehlo", "mail", "rcpt", "data", "body", "reply")
                                       if s != "wait" or "wait" in first["steps_ms"]]
    assert first["remote"] == {"host": "mx.test", "ip": "127.0.0.1", "port": server.settings["smtp_port"]}
    assert first["source_ip"] == "127.0.0.1" and first["tls"] is None and first["transcript"] is None
    assert first["recipients"] == [{"email": "one@d0.test", "status": "delivered", "code": 250, "text": "2.0.0 taken", "source": "remote"}]
    assert (first["attempt"], first["destination"], first["possible_duplicate"]) == (1, "d0.test", False)
    # The next one goes out on the same connection, so the start of the connection does not count for it.
    second = attempt(server, "two@d0.test", "delivered")
    assert not {"connect", "greeting", "ehlo"} & set(second["steps_ms"]) and "reply" in second["steps_ms"]
    assert second["remote"] == first["remote"]


def test_before_the_first_attempt_there_is_none(server):
    answer = server.send("slow_rcpt_1500-x@d1.test", key=server.live_key)
    assert attempts_of(server, answer.json()["id"]) == []


def test_a_refused_connection_is_an_attempt(make_postern, world):
    port = harness.free_port()
    a = attempt(make_postern({**world.settings, "smtp_port": port}), "x@d0.test", "deferred")
    assert a["remote"] == {"host": "mx.test", "ip": "127.0.0.1", "port": port}
    assert a["source_ip"] is None and a["tls"] is None
    assert {"dns", "connect"} <= set(a["steps_ms"]) <= {"dns", "wait", "connect"}
    assert a["recipients"] == [{"email": "x@d0.test", "status": "deferred", "text": "Connection refused at connect", "source": "local"}]
    assert words(a) == [f"* connect to mx.test (127.0.0.1:{port})", "* Connection refused at connect"]


def test_a_mail_deferred_by_a_rest_has_a_reason_and_no_attempt(make_postern, world):
    server = make_postern({**world.settings, "smtp_port": harness.free_port()})
    numbers = []
    for id in [server.send(f"x{i}@d0.test", key=server.live_key).json()["id"] for i in range(30)]:
        recipient, = server.wait_status(id, "deferred", key=server.live_key)["recipients"]
        attempts = attempts_of(server, id)
        assert len(attempts) == recipient["attempts"] and all(a["remote"]["host"] == "mx.test" for a in attempts)
        assert "Connection refused at connect" in recipient["last_reply"]["text"]
        assert recipient["last_reply"]["text"].startswith("not tried") == (not attempts)
        numbers.append(len(attempts))
    assert 0 in numbers and 1 in numbers


def test_a_domain_that_does_not_exist_is_an_attempt_without_a_server(server):
    id = server.deliver("x@nowhere.test", key=server.live_key)["id"]
    a, = attempts_of(server, id)
    assert a["remote"] is None and a["transcript"] is None and set(a["steps_ms"]) == {"dns"}
    assert a["recipients"][0]["status"] == "bounced" and "does not exist" in a["recipients"][0]["text"]


def test_hosts_that_were_tried_before_are_in_the_attempts_and_in_the_transcript(server):
    id = server.deliver("rcpt550-x@twomx.test", key=server.live_key)["id"]
    harness.wait_for(lambda: attempts_of(server, id)[-1]["transcript"], what="the transcript")
    dead, a = attempts_of(server, id)
    assert (dead["remote"]["host"], dead["recipients"], dead["attempt"]) == ("dead.test", [], 1)
    assert dead["reply"] == {"text": "Connection refused at connect", "source": "local"}
    assert a["remote"]["host"] == "mx.test" and a["attempt"] == 1 and "reply" not in a
    assert words(a)[0].startswith("* connect to dead.test (127.0.0.3:")
    assert words(a)[1] == "* Connection refused at connect"
    assert words(a)[2].startswith("* connect to mx.test (127.0.0.1:")


def test_a_refusal_at_the_greeting_is_an_attempt(to_host):
    a = attempt(to_host("> 554 5.7.1 not you\n"), "x@d0.test", "deferred")
    assert words(a)[1:3] == ["* connected from 127.0.0.1", "S: 554 5.7.1 not you"]
    assert a["recipients"][0]["code"] == 554 and "greeting" in a["steps_ms"] and "ehlo" not in a["steps_ms"]


def test_a_temporary_refusal_at_rcpt_is_in_the_transcript_word_by_word(to_host):
    server = to_host(HELLO + "< MAIL\n> 250 2.1.0 ok\n< RCPT\n> 450-4.2.0 try\n> 450 4.2.0 again\n< RSET\n> 250 ok\n")
    a = attempt(server, "x@d0.test", "deferred")
    assert words(a) == [
        f"* connect to mx.test (127.0.0.1:{server.settings['smtp_port']})", "* connected from 127.0.0.1",
        "S: 220 talk.test ESMTP", "C: EHLO postern.test", "S: 250-talk.test", "S: 250 SIZE 1000000",
        words(a)[6], "S: 250 2.1.0 ok", "C: RCPT TO:<x@d0.test>", "S: 450-4.2.0 try", "S: 450 4.2.0 again"]
    assert words(a)[6].startswith("C: MAIL FROM:<orders@shop.example> SIZE=")
    assert a["recipients"] == [{"email": "x@d0.test", "status": "deferred", "code": 450, "text": "4.2.0 try 4.2.0 again",
                                "source": "remote"}]
    assert "rcpt" in a["steps_ms"] and "data" not in a["steps_ms"]


def test_the_transcript_of_a_mail_refused_at_the_dot_has_only_the_size_of_the_body(to_host):
    server = to_host(HELLO + "< MAIL\n> 250 ok\n< RCPT\n> 250 ok\n< DATA\n> 354 go\ndata\n> 554 5.6.0 no\n")
    a = attempt(server, "x@d0.test", "bounced", text="The secret of the canary.\n", subject="Canary subject")
    said = words(a)
    assert said[-5:-3] == ["C: DATA", "S: 354 go"] and said[-2:] == ["C: .", "S: 554 5.6.0 no"]
    assert said[-3].startswith("C: [") and said[-3].endswith(" octets of the mail]")
    assert "anary" not in str(a)
    assert {"body", "reply"} <= set(a["steps_ms"])


def test_a_lost_connection_is_reported_with_its_stage(to_host):
    a = attempt(to_host(HELLO + "< MAIL\n> 250 ok\n< RCPT\nclose\n"), "x@d0.test", "deferred")
    assert words(a)[-2:] == ["C: RCPT TO:<x@d0.test>", "* connection closed at RCPT"]


def test_a_slow_server_shows_in_its_step(to_host):
    a = attempt(to_host("stall 300ms\n> 220 hi\n< EHLO\n> 250 hi\n< MAIL\nstall 400ms\n> 451 later\n"), "x@d0.test", "deferred")
    assert a["steps_ms"]["connect"] + a["steps_ms"]["greeting"] >= 290 and a["steps_ms"]["mail"] >= 390


def test_hostile_replies_are_shown_escaped(to_host):
    raw = r'''raw "550 a\x1b[31mb\x00c\xff\xc2\x85\",\"fake\":1 \xe2\x80\xae%n\r\n"'''
    a = attempt(to_host(HELLO + "< MAIL\n> 250 ok\n< RCPT\n" + raw + "\n< RSET\n> 250 ok\n"), "x@d0.test", "bounced")
    assert words(a)[-1] == 'S: 550 a\\x1b[31mb\\x00c\ufffd\\u0085","fake":1 \\u202e%n'
    assert "\x00" not in str(a) and "\x1b" not in str(a)


def test_a_server_that_never_ends_is_cut(to_host):
    lines = "".join(f'raw "250-{"x" * 3000}\\r\\n"\n' for _ in range(15))
    a = attempt(to_host("> 220 hi\n< EHLO\n" + lines + "> 250 ok\n< MAIL\n> 451 later\n"), "x@d0.test", "deferred")
    assert sum(map(len, a["transcript"])) < 40000
    assert any(line.endswith(" [cut]") for line in a["transcript"])
    assert words(a)[-1] == "S: 451 later"


# ---- recipients, tries, destinations ----

def test_each_destination_has_its_attempt_and_each_recipient_its_outcome(server):
    to = ["ok-a@d2.test", "rcpt550-b@d2.test", "ok-c@d3.test"]
    answer = server.send(to, key=server.live_key)
    server.wait_terminal(answer.json()["id"], key=server.live_key)
    found = {a["destination"]: a for a in attempts_of(server, answer.json()["id"])}
    assert found.keys() == {"d2.test", "d3.test"}
    assert [(r["email"], r["status"]) for r in found["d2.test"]["recipients"]] == [(to[0], "delivered"), (to[1], "bounced")]
    assert [r["email"] for r in found["d3.test"]["recipients"]] == [to[2]]
    assert found["d3.test"]["transcript"] is None
    harness.wait_for(lambda: any(a["transcript"] for a in attempts_of(server, answer.json()["id"])), what="a transcript")


def test_tries_are_counted_and_a_possible_duplicate_is_flagged(server):
    id = server.deliver("firstlost1-x@d4.test", key=server.live_key)["id"]
    harness.wait_for(lambda: attempts_of(server, id)[0]["transcript"], what="the transcript")
    first, second = attempts_of(server, id)
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert (first["possible_duplicate"], second["possible_duplicate"]) == (True, False)
    assert (first["recipients"][0]["status"], second["recipients"][0]["status"]) == ("deferred", "delivered")
    assert words(first)[-2] == "C: ." and first["started_at"] < second["started_at"]
    assert second["transcript"] is None


def ends_after_a_crash_at_the_dot(server, world, rcpt):
    """The message, after its relay was killed while it waited for the reply to the dot."""
    id = server.send(rcpt, key=server.live_key).json()["id"]
    world.sink.wait_begun(rcpt)
    for pid in server.children("relay"):
        os.kill(pid, signal.SIGKILL)
    return server.wait_terminal(id, key=server.live_key, timeout=60)


def test_an_attempt_whose_relay_died_is_shown_without_facts(make_postern, world):
    server = make_postern({**world.settings, "workers_relay": 1, "retry_first_s": 1})
    id = ends_after_a_crash_at_the_dot(server, world, "slow_dot_2000-killed@d5.test")["id"]
    found = attempts_of(server, id)
    assert [a["possible_duplicate"] for a in found] == [True, False]
    assert found[0]["remote"] is None and found[0]["started_at"] is None and found[0]["steps_ms"] == {}
    assert found[0]["recipients"][0]["status"] == "deferred"
    assert (found[1]["attempt"], found[1]["recipients"][0]["status"]) == (2, "delivered")


def test_an_unknown_outcome_after_a_crash_of_the_relay_does_not_wait_for_the_usual_retry(make_postern, world):
    server = make_postern({**world.settings, "workers_relay": 1, "retry_first_s": 3600})
    message = ends_after_a_crash_at_the_dot(server, world, "slow_dot_2000-crashed@d5.test")
    assert message["status"] == "delivered" and message["recipients"][0]["possible_duplicate"] is True


def test_expiry_keeps_the_last_reply_of_the_server(make_postern, world):
    server = make_postern({**world.settings, "default_deadline_s": 2})
    id = server.send("rcpt450-x@d7.test", key=server.live_key).json()["id"]
    recipient, = server.wait_terminal(id, key=server.live_key, timeout=60)["recipients"]
    assert (recipient["status"], recipient["last_reply"]["code"], recipient["last_reply"]["source"]) == ("expired", 450, "remote")


def test_a_test_message_has_an_attempt_at_the_sink(server):
    id = server.deliver("x@d6.test")["id"]
    a, = attempts_of(server, id, server.test_key)
    assert a["remote"] == {"host": "sink", "ip": None, "port": None} and a["destination"] == "d6.test"


# ---- refusals that suppress the address ----

RCPT_OK = "< MAIL\n> 250 ok\n< RCPT\n> 250 ok\n"
SENDER = "550 5.1.1 <orders@shop.example>: Sender address rejected: User unknown\n"
RATE = "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages\n"
GONE = "550 5.1.1 <x@d0.test>: Recipient address rejected: User unknown\n"


@pytest.mark.parametrize("talk_text, is_suppressed", [
    ("< MAIL\n> " + SENDER, False), ("< MAIL\n> 250 ok\n< RCPT\n> " + SENDER + "< RSET\n> 250 ok\n", False),
    ("< MAIL\n> 250 ok\n< RCPT\n> " + RATE + "< RSET\n> 250 ok\n", False),
    ("< MAIL\n> 250 ok\n< RCPT\n> " + GONE + "< RSET\n> 250 ok\n", True),
    (RCPT_OK + "< DATA\n> 354 go\ndata\n> " + GONE, True)])
def test_only_a_refusal_of_the_recipient_suppresses_the_address(to_host, talk_text, is_suppressed):
    server = to_host(HELLO + talk_text)
    attempt(server, "x@d0.test", "bounced")
    answer = server.request("GET", "/v1/suppressions/x@d0.test", key=server.live_key)
    assert answer.status == (200 if is_suppressed else 404)
    events = server.request("GET", "/v1/events?type=message.bounced", key=server.live_key).json()["data"]
    assert [e["data"]["bounce"]["is_suppressed"] for e in events] == [is_suppressed]


# ---- TLS ----

TLS_HELLO = "> 220 hi\n< EHLO\n> 250-hi\n> 250 STARTTLS\n< STARTTLS\n> 220 go\n"
REFUSAL = "< EHLO\n> 250 hi\n< MAIL\n> 451 later\n"


def test_tls_is_shown_with_the_result_of_the_certificate_check(to_host, certificates, make_host, make_postern, world):
    a = attempt(to_host(TLS_HELLO + "starttls cert=self\n" + REFUSAL), "x@d0.test", "deferred")
    assert a["tls"]["verdict"] == "unverified" and a["tls"]["version"] == "TLSv1.3" and a["tls"]["cipher"].startswith("TLS_")
    assert "tls" in a["steps_ms"]
    note = f"* TLSv1.3 {a['tls']['cipher']}, the certificate is not verified"
    assert words(a)[words(a).index("S: 220 go") + 1] == note
    host = make_host(TLS_HELLO + "starttls cert=ok\n" + REFUSAL)
    server = make_postern({**world.settings, "relay_url": f"smtp://localhost:{host.port}", "tls_policy": "required",
                           "relay_ca_file": certificates.ca_file})
    assert attempt(server, "x@d0.test", "deferred")["tls"]["verdict"] == "verified"


def test_a_failed_handshake_is_shown_even_if_the_mail_was_sent_in_clear(to_host):
    broken = TLS_HELLO + 'stall 50ms\nraw "this is no TLS\\r\\n"\nstall 50ms\nreset\n'
    taken = "> 220 hi\n< EHLO\n> 250-hi\n> 250 STARTTLS\n< MAIL\n> 250 ok\n< RCPT\n> 250 ok\n< DATA\n> 354 go\ndata\n> 250 ok\n"
    a = attempt(to_host(broken, taken), "x@d0.test", "delivered")
    assert a["tls"] == {"verdict": "failed", "version": None, "cipher": None} and a["transcript"] is None
    a = attempt(to_host(broken, "> 554 not you\n"), "x@d0.test", "deferred")
    assert a["tls"]["verdict"] == "failed" and "S: 554 not you" in words(a)
    a = attempt(to_host(broken, tls_policy="required"), "x@d0.test", "deferred")
    assert a["tls"]["verdict"] == "failed" and "tls" in a["steps_ms"] and "mail" not in a["steps_ms"]
    assert words(a)[-1].endswith("at TLS")


# ---- access ----

def test_another_project_sees_no_attempts(server):
    id = server.deliver("dot5xx-x@d7.test", key=server.live_key)["id"]
    harness.wait_for(lambda: attempts_of(server, id)[0]["transcript"], what="the transcript")
    foreign = server.request("GET", f"/v1/messages/{id}/attempts", key=server.other_key)
    missing = server.request("GET", f"/v1/messages/msg_{'0' * 26}/attempts", key=server.other_key)
    assert foreign.status == missing.status == 404

    def without_request(answer):
        return {k: v for k, v in answer.json().items() if k != "request_id"}
    assert without_request(foreign) == without_request(missing)


# ---- secrets ----

SECRETS = (PASSWORD, PASSWORD_64, PLAIN_64)
AUTH = {
    "plain": "> 250-hi\n> 250 AUTH PLAIN\n< AUTH PLAIN " + PLAIN_64 + "\n",
    "login": "> 250-hi\n> 250 AUTH LOGIN\n< AUTH LOGIN\n> 334 VXNlcm5hbWU6\n<\n> 334 UGFzc3dvcmQ6\n< " + PASSWORD_64 + "\n",
}
ANSWERS = {
    "refuses": ("> 535 5.7.8 who are you?\n", "S: 535 5.7.8 who are you?"),
    "quotes": (f'> 535-5.7.8 what is {PLAIN_64}?\n> 535-5.7.8 is {PASSWORD_64} or\n> 535 5.7.8 {PASSWORD} your password?\n',
               f"S: 535 5.7.8 {'*' * len(PASSWORD)} your password?"),
    "takes it and refuses the mail": ("> 235 ok\n< MAIL\n> 550 5.7.1 no\n", "S: 550 5.7.1 no"),
}


@pytest.mark.parametrize("mechanism", AUTH)
@pytest.mark.parametrize("what", ANSWERS)
def test_a_password_is_in_no_response_log_or_store(make_host, make_postern, world, mechanism, what):
    answer, last = ANSWERS[what]
    host = make_host("> 220 hi\n< EHLO\n" + AUTH[mechanism] + answer)
    user = f"{USER}:{PASSWORD.replace(' ', '%20')}"
    server = make_postern({**world.settings, "relay_url": f"smtp://{user}@127.0.0.1:{host.port}?tls=opportunistic", "log_level": "debug"})
    a = attempt(server, "x@d0.test", "bounced" if "mail" in what else "deferred")
    assert last in words(a) and "auth" in a["steps_ms"]
    assert "C: AUTH PLAIN ****" in words(a) if mechanism == "plain" else words(a).count("C: ****") == 2
    id = next(line["message"] for line in server.log_lines() if line.get("message", "").startswith("msg_"))
    shown = server.request("GET", f"/v1/messages/{id}/attempts", key=server.live_key).body + server.request(
        "GET", f"/v1/messages/{id}", key=server.live_key).body
    store = dump(server)
    assert b"msg_" in store
    for secret in SECRETS:
        assert secret.encode() not in shown
        assert secret not in server.log()
        assert secret.encode() not in store


def dump(server):
    """All that Redis holds and wrote, except transcripts, which the API unpacks."""
    data = b""
    with harness.RedisClient(server.redis_socket) as r:
        for key in r("KEYS", "*"):
            data += key + b"\n" + flat(r({"string": "GET", "list": "LRANGE", "hash": "HGETALL", "set": "SMEMBERS", "zset": "ZRANGE",
                                          "stream": "XRANGE"}[r("TYPE", key)], key,
                                         *{"list": (0, -1), "zset": (0, -1), "stream": ("-", "+")}.get(r("TYPE", key), ())))
    for path in Path(server.settings["data_dir"]).rglob("*"):
        if path.is_file():
            data += path.read_bytes()
    return data


def flat(value):
    if isinstance(value, list):
        return b"\n".join(map(flat, value))
    return value if isinstance(value, bytes) else str(value).encode()


# ---- the last test: its mail was sent 30 s ago ----

def test_a_host_that_does_not_respond_is_reported_after_its_timeout(unanswered):
    server, id = unanswered
    server.wait_status(id, "deferred", key=server.live_key, timeout=60)
    a = harness.wait_for(lambda: [a for a in attempts_of(server, id) if a["transcript"]], what="the attempt")[0]
    assert words(a)[1:] == ["* timeout at connect"] and a["source_ip"] is None
    assert 29_000 <= a["steps_ms"]["connect"] <= a["duration_ms"]

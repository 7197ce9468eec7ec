"""Independent mail servers: Postfix, its smtp-sink, and aiosmtpd with TLS and AUTH."""
import concurrent.futures
import email
import email.policy
import os
import socket
import ssl

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from support import harness, postfix, talk

USER, PASSWORD = "relay-user", "canary-relay-password"
needs_postfix = pytest.mark.skipif(not (postfix.POSTFIX and os.geteuid() == 0), reason="needs Postfix, and root")
needs_smtp_sink = pytest.mark.skipif(not postfix.SMTP_SINK, reason="needs smtp-sink")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return talk.Certificates(tmp_path_factory.mktemp("certificates"))


# ---- aiosmtpd ----

class Inbox:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, session, envelope):
        self.mails.append((session.ssl is not None, session.auth_data, envelope))
        return "250 2.0.0 taken"


def password_is_right(_server, _session, _envelope, mechanism, auth_data):
    ok = (auth_data.login, auth_data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=ok, handled=not ok and False, auth_data=(mechanism, auth_data.login.decode()))


class Relay:
    def __init__(self, chain=None, implicit=False, **options):
        self.inbox = Inbox()
        context = None
        if chain:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(chain)
        self.options = dict(options, **({"tls_context": context} if context and not implicit else {}))
        relay = self

        class Server(Controller):
            def factory(self):
                return SMTP(relay.inbox, hostname="relay.test", **relay.options)
        self.controller = Server(self.inbox, hostname="127.0.0.1", port=harness.free_port(),
                                 ssl_context=context if implicit else None)
        if implicit:
            self.controller._trigger_server = self.greet

    def start(self):
        self.controller.start()
        return self

    def greet(self):
        """The first connection, which the start of a Controller waits for, as a client with TLS."""
        trusting = ssl._create_unverified_context()
        with socket.create_connection(("127.0.0.1", self.port), 5) as s, trusting.wrap_socket(s) as tls:
            tls.recv(100)

    @property
    def port(self):
        return self.controller.port

    def stop(self):
        self.controller.stop()


AUTH = {"auth_required": True, "auth_require_tls": True, "authenticator": password_is_right}


@pytest.fixture
def make_relay(stack):
    def make(**options):
        return stack.add(Relay(**options)).start()
    return make


@pytest.fixture
def through(make_postern, world, certificates):
    """through("smtp://user:password@relay.test:25") -> a Postern that sends all mail there."""
    def make(url, **settings):
        base = {"dns_servers": world.settings["dns_servers"], "mx_allow_private": True, "relay_url": url,
                "relay_ca_file": certificates.ca_file}
        return make_postern({**base, **settings})
    return make


@pytest.mark.parametrize("mechanism, excluded", [("PLAIN", ["LOGIN"]), ("LOGIN", ["PLAIN"])])
def test_a_smarthost_with_starttls_and_auth_accepts_the_mail(make_relay, through, certificates, mechanism, excluded):
    relay = make_relay(chain=certificates.chain("relay.test"), require_starttls=True, auth_exclude_mechanism=excluded, **AUTH)
    server = through(f"smtp://{USER}:{PASSWORD}@relay.test:{relay.port}", tls_policy="required")
    assert server.deliver("someone@anywhere.example", key=server.live_key)["status"] == "delivered"
    (is_tls, auth, envelope), = relay.inbox.mails
    assert is_tls and auth == (mechanism, USER)
    assert envelope.rcpt_tos == ["someone@anywhere.example"]
    assert PASSWORD not in server.log()


def test_a_smarthost_with_implicit_tls_accepts_the_mail(make_relay, through, certificates):
    relay = make_relay(chain=certificates.chain("relay.test"), implicit=True)
    server = through(f"smtps://relay.test:{relay.port}")
    assert server.deliver("someone@anywhere.example", key=server.live_key)["status"] == "delivered"
    assert len(relay.inbox.mails) == 1


def deferred(server):
    answer = server.send("someone@anywhere.example", key=server.live_key)
    message = server.wait_status(answer.json()["id"], "deferred", key=server.live_key, timeout=40)
    return message["recipients"][0]


def test_the_password_is_sent_only_after_a_valid_certificate(make_relay, through, certificates):
    """Otherwise any server at the relay's address would get it. With ?tls=unverified the operator accepts that."""
    relay = make_relay(chain=certificates.chain("other.test"), require_starttls=True, **AUTH)
    url = f"smtp://{USER}:{PASSWORD}@relay.test:{relay.port}"
    server = through(url)
    assert "certificate" in deferred(server)["last_reply"]["text"]
    assert not relay.inbox.mails
    server = through(url + "?tls=unverified")
    assert server.deliver("someone@anywhere.example", key=server.live_key)["status"] == "delivered"


def test_a_wrong_password_defers_the_mail_and_bounces_nothing(make_relay, through, certificates):
    relay = make_relay(chain=certificates.chain("relay.test"), require_starttls=True, **AUTH)
    server = through(f"smtp://{USER}:wrong-canary-password@relay.test:{relay.port}")
    deferred(server)
    assert not relay.inbox.mails
    assert "wrong-canary-password" not in server.log()


def test_a_wrong_password_stops_all_mail_with_one_log_line(make_relay, through, certificates):
    tried = []

    def refuse(_server, _session, _envelope, _mechanism, auth_data):
        tried.append(auth_data)
        return AuthResult(success=False, handled=False)
    relay = make_relay(chain=certificates.chain("relay.test"), require_starttls=True, **{**AUTH, "authenticator": refuse})
    server = through(f"smtp://{USER}:{PASSWORD}@relay.test:{relay.port}", workers_relay=1)
    ids = [server.send(f"x{i}@anywhere{i % 7}.example", key=server.live_key).json()["id"] for i in range(70)]
    for i in ids:
        message = server.wait_status(i, "deferred", key=server.live_key, timeout=40)
        assert "AUTH" in message["recipients"][0]["last_reply"]["text"], message
    assert 1 <= len(tried) <= 2
    alarms = [line for line in server.log_lines() if line.get("fact") == "relay.login_refused"]
    assert len(alarms) == 1 and alarms[0]["level"] == "error" and alarms[0]["code"] == 535


def test_required_tls_sends_nothing_to_a_server_that_offers_none(make_relay, through):
    relay = make_relay()
    deferred(through(f"smtp://relay.test:{relay.port}", tls_policy="required"))
    assert not relay.inbox.mails


def test_required_tls_sends_nothing_to_a_certificate_of_another_name(make_relay, through, certificates):
    relay = make_relay(chain=certificates.chain("other.test"))
    deferred(through(f"smtp://relay.test:{relay.port}", tls_policy="required"))
    assert not relay.inbox.mails


def test_required_tls_sends_nothing_to_a_certificate_of_an_unknown_authority(make_relay, through, certificates, tmp_path):
    relay = make_relay(chain=certificates.chain("relay.test"))
    stranger = talk.Certificates(tmp_path).ca_file
    deferred(through(f"smtp://relay.test:{relay.port}", tls_policy="required", relay_ca_file=stranger))
    assert not relay.inbox.mails


def test_a_password_never_travels_in_clear_to_another_machine(make_relay, through):
    """Loopback is the exception; the server here asks for AUTH without TLS."""
    relay = make_relay(auth_required=True, auth_require_tls=False, authenticator=password_is_right)
    server = through(f"smtp://{USER}:{PASSWORD}@127.0.0.1:{relay.port}?tls=opportunistic")
    assert server.deliver("someone@anywhere.example", key=server.live_key)["status"] == "delivered"


# ---- Postfix ----

@pytest.fixture(scope="module")
def real_postfix(certificates):
    if not postfix.POSTFIX or os.geteuid() != 0:
        pytest.skip("needs Postfix, and root")
    p = postfix.Postfix(chain_file=certificates.chain("postfix.test"), mynetworks="192.0.2.0/24").start()
    yield p
    p.stop()


@needs_postfix
def test_postfix_takes_mail_over_tls_and_stores_it_unchanged(real_postfix, through):
    server = through(f"smtp://127.0.0.1:{real_postfix.port}")
    text = ".\n..\nGrüße\n" + "lang " * 500 + "\nFrom here\n"
    message = server.deliver("inbox@mail.test", key=server.live_key, subject="Fünf Töne", text=text, html="<p>x</p>")
    assert message["status"] == "delivered"
    data = harness.wait_for(lambda: [m for m in real_postfix.mails() if message["internet_message_id"].encode() in m], 15)
    assert len(data) == 1
    mail = email.message_from_bytes(data[0], policy=email.policy.default)
    assert mail["Subject"] == "Fünf Töne" and mail["Date"] and mail["From"].addresses[0].display_name == "Shop"
    assert mail.get_body(("plain",)).get_content() == text
    assert "using TLSv1.3" in mail["Received"]


@needs_postfix
def test_a_refusal_of_postfix_to_relay_is_a_bounce_with_its_reply(real_postfix, through):
    server = through(f"smtp://127.0.0.1:{real_postfix.port}")
    message = server.deliver("x@elsewhere.example", key=server.live_key)
    reply = message["recipients"][0]["last_reply"]
    assert message["status"] == "bounced" and reply["code"] == 554 and "Relay access denied" in reply["text"]


@needs_postfix
def test_postfix_takes_two_hundred_mails_over_few_connections(real_postfix, through):
    server = through(f"smtp://127.0.0.1:{real_postfix.port}", site_connections=4)
    before = real_postfix.log().count(": connect from")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: server.send(f"inbox{i}@mail.test", key=server.live_key), range(200)))
    for a in answers:
        assert server.wait_terminal(a.json()["id"], key=server.live_key, timeout=60)["status"] == "delivered"
    assert real_postfix.log().count(": connect from") - before <= 40


# ---- smtp-sink ----

SINKS = {
    "plain": [], "no pipelining": ["-p"], "no enhanced codes": ["-E"], "no 8bitmime": ["-8"], "no ESMTP": ["-e"],
    "slow dot": ["-w", "1"],
}


@needs_smtp_sink
@pytest.mark.parametrize("name", sorted(SINKS))
def test_smtp_sink_takes_the_mail(stack, through, name):
    sink = stack.add(postfix.SmtpSink(*SINKS[name])).start()
    server = through(f"smtp://127.0.0.1:{sink.port}")
    for i in range(3):
        assert server.deliver(f"x{i}@anywhere.example", key=server.live_key, timeout=30)["status"] == "delivered"


REFUSALS = [(["-f", "rcpt"], "bounced"), (["-r", "rcpt"], "deferred"), (["-f", "data"], "bounced"),
            (["-r", "data"], "deferred"), (["-f", "."], "bounced"), (["-r", "."], "deferred"),
            (["-q", "data"], "deferred"), (["-q", "mail"], "deferred"), (["-Q", "rcpt"], "deferred"),
            (["-q", "ehlo"], "deferred"), (["-r", "mail"], "deferred"), (["-f", "mail"], "bounced")]


@needs_smtp_sink
@pytest.mark.parametrize("options, status", REFUSALS, ids=[" ".join(o) for o, _ in REFUSALS])
def test_the_api_shows_the_refusals_of_smtp_sink(stack, through, options, status):
    sink = stack.add(postfix.SmtpSink(*options)).start()
    server = through(f"smtp://127.0.0.1:{sink.port}")
    answer = server.send("x@anywhere.example", key=server.live_key)
    server.wait_status(answer.json()["id"], status, key=server.live_key, timeout=30)

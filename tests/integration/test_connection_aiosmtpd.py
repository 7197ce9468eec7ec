"""The SMTP client against aiosmtpd, a server that is not ours: STARTTLS, AUTH, several recipients."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import talk  # noqa: E402

MESSAGE = b"From: a@postern.test\r\nSubject: hello\r\n\r\n.\r\n..dots\r\nlast line\r\n"


class Inbox:
    def __init__(self):
        self.mails = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content, session.ssl is not None))
        return "250 2.0.0 kept"


class Server(Controller):
    """One aiosmtpd with the options of SMTP given as a dict."""

    def __init__(self, handler, **options):
        self.options = options
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        super().__init__(handler, hostname="127.0.0.1", port=port)

    def factory(self):
        return SMTP(self.handler, **self.options)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return talk.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def client():
    return talk.build_client(ROOT / "build/talks/smtp_try")


def deliver(client, tmp_path, port, *arguments):
    message = tmp_path / "message"
    message.write_bytes(MESSAGE)
    done = subprocess.run(
        [str(client), "--port", str(port), "--host", talk.HOST, "--message", str(message), *arguments],
        capture_output=True, text=True, timeout=20,
    )
    assert done.stderr == "" and done.returncode == 0
    return done.stdout.splitlines()


def check_login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"user", b"p\xc3\xa4ss"), handled=False)


def test_clear_mail_arrives_byte_for_byte(client, tmp_path):
    inbox = Inbox()
    with Server(inbox) as server:
        lines = deliver(client, tmp_path, server.port, "one@sink.test", "nobody@sink.test")
    assert lines[:2] == ["delivered 250 2.0.0 kept", "bounced 550 5.1.1 no such mailbox"]
    assert inbox.mails == [("from@postern.test", ["one@sink.test"], MESSAGE, False)]


def test_twenty_mails_share_one_connection(client, tmp_path):
    inbox = Inbox()
    with Server(inbox) as server:
        lines = deliver(client, tmp_path, server.port, "--mails", "20", "one@sink.test")
    assert lines[:20] == ["delivered 250 2.0.0 kept"] * 20
    assert len(inbox.mails) == 20


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
def test_login_comes_after_starttls(client, tmp_path, certificates, mechanism):
    inbox = Inbox()
    options = dict(
        tls_context=certificates.context("ok"), require_starttls=True, authenticator=check_login,
        auth_required=True, auth_exclude_mechanism=[{"LOGIN": "PLAIN", "PLAIN": "LOGIN"}[mechanism]],
    )
    with Server(inbox, **options) as server:
        lines = deliver(
            client, tmp_path, server.port, "--tls", "required", "--verify", "--ca", str(certificates.ca_file),
            "--user", "user", "--password", "päss", "one@sink.test",
        )
    assert lines[0] == "delivered 250 2.0.0 kept"
    assert "verified=1" in lines[-1]
    assert inbox.mails[0][3]


def test_a_wrong_password_fails_the_connection(client, tmp_path, certificates):
    inbox = Inbox()
    with Server(inbox, tls_context=certificates.context("ok"), authenticator=check_login) as server:
        lines = deliver(
            client, tmp_path, server.port, "--tls", "required", "--user", "user", "--password", "no", "one@sink.test"
        )
    assert lines[0].startswith("failure 535 AUTH: ")
    assert inbox.mails == []


def test_an_untrusted_certificate_gets_no_mail(client, tmp_path, certificates):
    inbox = Inbox()
    with Server(inbox, tls_context=certificates.context("self")) as server:
        lines = deliver(
            client, tmp_path, server.port, "--tls", "required", "--verify", "--ca", str(certificates.ca_file),
            "one@sink.test",
        )
    assert lines[0] == "failure 0 certificate: self-signed certificate at TLS"
    assert inbox.mails == []

"""One run with many errors. Each secret has a unique value, which must not be found anywhere else."""
import base64
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support import harness
from support.dns_server import DnsServer
from support.receiver import Receiver
from test_attempts import TalkServer, certificates  # noqa: F401  (a fixture)
from test_redis_user import PASSWORD as REDIS_PASSWORD
from test_redis_user import GuardedRedis

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import talk  # noqa: E402

NOBODY = 65534
RELAY_PASSWORD = "canary3of3the3relay"
PLAIN_64 = base64.b64encode(f"\0relay-user\0{RELAY_PASSWORD}".encode()).decode()
WRONG_KEY = "pn_live_canary4of4a4wrong4key000000000000000000"
MAIL_WORDS = ["canary5subject", "canary5text", "canary5html", "canary5header", "canary5name", "canary5metadata", "canary5file"]
HELLO = """
> 220 talk.test ESMTP
< EHLO
> 250-talk.test
> 250-STARTTLS
> 250 AUTH PLAIN LOGIN
< STARTTLS
> 220 go
"""
SECURE_HELLO = HELLO + """starttls
< EHLO
> 250-talk.test
> 250 AUTH PLAIN LOGIN
"""
AUTH = f"< AUTH PLAIN {PLAIN_64}\n"
TALKS = [
    HELLO + "close\n",
    HELLO + "starttls cert=wrongname\n",
    SECURE_HELLO + AUTH + f"> 535 5.7.8 no {PLAIN_64} and no {RELAY_PASSWORD}\n< QUIT\n> 221 bye\nclose\n",
    SECURE_HELLO + AUTH + "> 235 ok\n< MAIL\n> 250 ok\n< RCPT\n> 550 5.1.1 nobody\n",
]


def make_dkim_key(path):
    subprocess.run(["openssl", "genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path], check=True,
                   capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-in", path, "-outform", "DER"], check=True, capture_output=True).stdout
    lines = Path(path).read_text().splitlines()[1:-1]
    return [*lines[:-1], der[200:232]]


@pytest.fixture
def relay(tmp_path, stack, certificates):  # noqa: F811
    directory = tmp_path / "talks"
    directory.mkdir()
    server = stack.add(TalkServer(directory, certificates, TALKS), lambda: server.listener.close())
    return server.start()


@pytest.fixture
def receiver(stack):
    return stack.add(Receiver(lambda path, n: (500, {}, b"no") if n < 3 else 200))


def send_what_fails(server, webhook_key):
    """A mail that four relays treat badly, and requests that no server should take."""
    sent = server.send("canary5recipient@d0.test", key=server.live_key, subject=MAIL_WORDS[0], text=MAIL_WORDS[1],
                       html=f"<p>{MAIL_WORDS[2]}", headers={"X-Canary": MAIL_WORDS[3]}, metadata={"k": MAIL_WORDS[5]},
                       reply_to=[f"{MAIL_WORDS[4]} <a@b.test>"],
                       attachments=[{"filename": "a.txt", "content": base64.b64encode(MAIL_WORDS[6].encode()).decode()}])
    assert sent.status == 202, sent
    for data in (b'{"text": canary5text}', b'{"text": "canary5text", "from": 7}', b"canary5text"):
        assert server.request("POST", "/v1/messages", data=data, headers={"Content-Type": "application/json"}).status in (400, 422)
    for key in (WRONG_KEY, webhook_key):
        assert server.request("GET", "/v1/messages", key=key).status == 401
    for path in (f"/v1/messages?key={server.live_key}", f"/v1/{WRONG_KEY}", f"/v1/messages/{server.live_key}"):
        assert server.request("GET", path).status in (400, 404, 422)
    return sent.json()["id"]


def crash_everyone(server):
    crashed = set(harness.direct_children(server.process.pid))
    for pid in crashed:
        os.kill(pid, signal.SIGKILL if "asan" in harness.binary() else signal.SIGSEGV)
    harness.wait_for(lambda: not crashed & set(harness.direct_children(server.process.pid)), what="their ends")
    server.wait_ready()


def seen_of_processes(server):
    for pid in [server.process.pid, *harness.descendants_of(server.process.pid)]:
        for name in ("environ", "cmdline"):
            yield f"{name} of {pid}", Path(f"/proc/{pid}/{name}").read_bytes()


def files_below(*directories):
    for directory in directories:
        for path in Path(directory).rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()


@pytest.mark.parametrize("setting, value", [
    ("relay_url", f"smtp://user:{RELAY_PASSWORD}@[::1"), ("relay_url", f"stmp://user:{RELAY_PASSWORD}@relay.test"),
    ("redis_url", f"redis://user:{RELAY_PASSWORD}@redis.test:port"), ("secret", RELAY_PASSWORD), ("root_key", f"{RELAY_PASSWORD} ")])
def test_an_error_of_a_setting_does_not_contain_its_secret(make_postern, tmp_path, setting, value):
    server = make_postern({"relay_url": f"smtp://user:{RELAY_PASSWORD}@relay.test", "data_dir": tmp_path, setting: value}, start=False)
    for command in (["config", "check"], ["config", "show"], ["serve"]):
        done = server.cli(*command, check=False)
        assert RELAY_PASSWORD not in done.stdout + done.stderr
        assert command[-1] == "show" or (done.returncode == 1 and setting.upper() in done.stderr)


@pytest.mark.skipif("asan" in harness.binary() or os.geteuid() != 0, reason="a sanitizer must trace; and needs two users")
def test_processes_of_the_same_user_cannot_read_the_memory(make_postern, stack):
    """The kernel makes root the owner of the files in /proc/PID of such a process. Redis, which has no secret, is the control."""
    directory = Path(tempfile.mkdtemp())
    stack.add(directory, lambda: harness.remove(directory))
    os.chown(directory, NOBODY, NOBODY)
    shutil.copy(harness.binary(), directory / "postern")
    server = make_postern({"data_dir": directory / "data"}, start=False)
    server.process = subprocess.Popen([directory / "postern", "serve"], cwd=directory, env=server.env(), user=NOBODY, group=NOBODY,
                                      stdin=subprocess.DEVNULL, stderr=open(server.log_path, "ab"), start_new_session=True)
    server.wait_ready()
    owners = {role: os.stat(f"/proc/{pid}/environ").st_uid for pid, role in server.children().items()}
    owners["supervisor"] = os.stat(f"/proc/{server.process.pid}/environ").st_uid
    assert owners.pop("redis") == NOBODY
    assert len(owners) == 5 and set(owners.values()) == {0}, owners


def encodings(secret):
    """As it is, and within base64, wherever it starts there."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    yield raw
    for shift in range(3):
        yield base64.b64encode(bytes(shift) + raw)[4 if shift else 0:-4]


def leaks(places, secrets):
    return [(where, secret) for where, data in places for secret in secrets if any(e in data for e in encodings(secret))]


def make_server(make_postern, stack, relay, tmp_path, **settings):
    redis = stack.add(GuardedRedis(tmp_path / "redis")).start()
    dns = stack.add(DnsServer({talk.HOST: {"A": ["127.0.0.1"]}}).start())
    return make_postern({
        "log_level": "debug", "tls_policy": "required", "mx_allow_private": True, "dns_servers": f"127.0.0.1@{dns.port}",
        "relay_url": f"smtp://relay-user:{RELAY_PASSWORD}@{talk.HOST}:{relay.port}", "relay_ca_file": relay.certificates.ca_file,
        "dkim_domain": "shop.example", "dkim_selector": "s1", "webhook_allow_private": True, "webhook_retry_s": 1,
        "retry_first_s": 1, "retry_first_otp_s": 1, "retry_max_s": 1, **settings}, redis=redis)


def test_the_search_finds_a_secret_that_is_there():
    """The negative control: in clear, and in base64 at each place."""
    for n in range(3):
        assert leaks([("here", base64.b64encode(b"x" * n + b"canary" + b"yy"))], ["canary"])
    assert leaks([("here", b"a canary")], ["canary"]) and not leaks([("here", b"a kanary")], ["canary"])


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_where_it_does_not_belong(make_postern, stack, relay, receiver, tmp_path, log_format, monkeypatch):
    monkeypatch.setenv("POSTERN_BINARY", harness.readable_binary())
    dkim = make_dkim_key(str(tmp_path / "dkim.pem"))
    server = make_server(make_postern, stack, relay, tmp_path, log_format=log_format, dkim_key=tmp_path / "dkim.pem")
    hook = server.request("POST", "/v1/webhooks", key=server.live_key, json={"url": receiver.url("/canary6path")}).json()
    rotated = server.request("POST", f"/v1/webhooks/{hook['id']}/rotate", key=server.live_key).json()
    id = send_what_fails(server, hook["secret"])
    assert server.wait_terminal(id, key=server.live_key, timeout=60)["status"] == "bounced"
    crash_everyone(server)
    metrics = server.internal("/metrics").body
    attempts = server.request("GET", f"/v1/messages/{id}/attempts", key=server.live_key).body
    secrets = [server.live_key, server.test_key, harness.ROOT_KEY, base64.b64decode(harness.SECRET), RELAY_PASSWORD, WRONG_KEY,
               REDIS_PASSWORD, *(base64.b64decode(h["secret"].removeprefix("whsec_")) for h in (hook, rotated)), *dkim]
    told = [("log", server.log_path.read_bytes()), ("metrics", metrics), *seen_of_processes(server)]
    stored = [f for f in files_below(server.directory, server.redis.directory) if "/docker/" not in f[0]]
    for fact in (b"host.failed", b"535", b"at TLS", b"hostname mismatch", b"recipient.bounced", b"webhook.failed", b"child.died"):
        assert fact in told[0][1], fact
    assert not leaks([*told, *stored, ("attempts", attempts)], secrets)
    assert not leaks(told, [*MAIL_WORDS, "canary5recipient", "canary6path"])
    assert not [name for name, _ in stored if os.path.basename(name).startswith("core")]

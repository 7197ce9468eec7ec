"""Redis over TLS: a real redis-server with good and bad certificates, client certificates, and an ACL user."""
import socket

import pytest

from support import harness, talk
from support.load import Load, assert_delivered

PASSWORD = "p@ss:w/%?#[ü]"
ENCODED = "p%40ss%3Aw%2F%25%3F%23%5B%C3%BC%5D"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return talk.Certificates(tmp_path_factory.mktemp("certificates"))


class TlsRedis(harness.Redis):
    """It listens for TLS on a TCP port; the Unix socket is for the test."""

    def __init__(self, directory, certificates, label, asks_client=False):
        self.port = harness.free_port()
        pem = str(certificates.folder / f"{label}.pem")
        super().__init__(directory, tls_port=self.port, bind="127.0.0.1", tls_cert_file=pem, tls_key_file=pem,
                         tls_ca_cert_file=str(certificates.ca_file), tls_auth_clients="yes" if asks_client else "no")
        self.url = f"rediss://127.0.0.1:{self.port}"


@pytest.fixture
def make_tls_redis(tmp_path, stack, certificates):
    def make(label, **options):
        return stack.add(TlsRedis(tmp_path / "redis", certificates, label, **options)).start()
    return make


@pytest.mark.parametrize(("label", "host"), [("address", "127.0.0.1"), ("ok", "localhost")])
def test_mail_is_delivered_with_redis_over_tls(make_postern, make_sink, make_tls_redis, certificates, label, host):
    redis = make_tls_redis(label)
    redis.url = f"rediss://{host}:{redis.port}"
    sink = make_sink()
    server = make_postern({"relay_url": f"smtp://127.0.0.1:{sink.port}", "redis_ca_file": certificates.ca_file}, redis=redis)
    large = "x" * 3_000_000
    for text in ("small", large):
        assert server.deliver("a@d0.test", key=server.live_key, text=text)["recipients"][0]["status"] == "delivered"
    clients = [line for line in redis("CLIENT", "LIST").decode().splitlines() if "127.0.0.1" in line]
    assert len(clients) >= 5


def test_a_user_with_any_password_and_a_client_certificate_is_let_in(make_postern, make_sink, make_tls_redis, certificates):
    redis = make_tls_redis("address", asks_client=True)
    redis("ACL", "SETUSER", "postern", "on", ">" + PASSWORD, "~*", "&*", "+@all")
    redis.url = f"rediss://postern:{ENCODED}@127.0.0.1:{redis.port}/3"
    sink, pem = make_sink(), certificates.folder / "ok.pem"
    server = make_postern({"relay_url": f"smtp://127.0.0.1:{sink.port}", "redis_ca_file": certificates.ca_file,
                           "redis_cert_file": pem, "redis_key_file": pem}, redis=redis, keys=False)
    server.live_key = server.create_key("live")
    assert server.deliver("a@d0.test", key=server.live_key)["recipients"][0]["status"] == "delivered"
    assert PASSWORD not in server.log() and ENCODED not in server.log()
    assert "db3" in redis.info("keyspace")


@pytest.mark.parametrize(("label", "words"), [
    ("wrongname", ["mismatch", "host of POSTERN_REDIS_URL"]),
    ("ok", ["mismatch", "host of POSTERN_REDIS_URL"]),    # its names, but not the address of the URL
    ("expired", ["certificate has expired"]),
    ("future", ["certificate is not yet valid"]),
    ("self", ["self-signed", "POSTERN_REDIS_CA_FILE"]),
])
def test_a_wrong_certificate_is_refused_with_the_reason(make_postern, make_tls_redis, certificates, label, words):
    redis = make_tls_redis(label)
    if label in ("expired", "future"):
        redis.url = f"rediss://localhost:{redis.port}"
    server = make_postern({"redis_ca_file": certificates.ca_file}, redis=redis, start=False, crashes=True)
    server.launch()
    server.wait_not_ready(*words)


def test_a_ca_that_did_not_sign_the_server_is_refused(make_postern, make_tls_redis, tmp_path):
    redis = make_tls_redis("address")
    (tmp_path / "other").mkdir()
    other = talk.Certificates(tmp_path / "other")
    server = make_postern({"redis_ca_file": other.ca_file}, redis=redis, start=False, crashes=True)
    server.launch()
    server.wait_not_ready("certificate", "POSTERN_REDIS_CA_FILE")


def test_a_missing_client_certificate_is_named(make_postern, make_tls_redis, certificates):
    redis = make_tls_redis("address", asks_client=True)
    server = make_postern({"redis_ca_file": certificates.ca_file}, redis=redis, start=False, crashes=True)
    server.launch()
    server.wait_not_ready("certificate required", "POSTERN_REDIS_CERT_FILE")


def test_a_tls_port_without_rediss_is_named(make_postern, make_tls_redis):
    redis = make_tls_redis("address")
    redis.url = f"redis://127.0.0.1:{redis.port}"
    server = make_postern(redis=redis, start=False, crashes=True)
    server.launch()
    server.wait_not_ready("use rediss://")


def test_rediss_to_a_port_without_tls_is_named(make_postern, make_redis, certificates):
    port = harness.free_port()
    redis = make_redis(bind="127.0.0.1")
    redis("CONFIG", "SET", "port", port)
    redis.url = f"rediss://127.0.0.1:{port}"
    server = make_postern({"redis_ca_file": certificates.ca_file}, redis=redis, start=False, crashes=True)
    server.launch()
    server.wait_not_ready("no TLS handshake within 5 s", "use redis://")


def test_a_server_that_says_nothing_ends_after_5_seconds(make_postern, stack, certificates):
    listener = socket.create_server(("127.0.0.1", 0))
    stack.add(listener, listener.close)
    server = make_postern({"redis_url": f"rediss://127.0.0.1:{listener.getsockname()[1]}",
                           "redis_ca_file": certificates.ca_file}, start=False, crashes=True)
    server.launch()
    server.wait_not_ready("no TLS handshake within 5 s")


@pytest.mark.parametrize(("settings", "words"), [
    ({"redis_ca_file": "/nowhere.pem"}, "POSTERN_REDIS_CA_FILE: /nowhere.pem"),
    ({"redis_cert_file": "{pem}"}, "set both or neither"),
    ({"redis_cert_file": "{pem}", "redis_key_file": "/nowhere.key"}, "POSTERN_REDIS_CERT_FILE: /nowhere.key"),
])
def test_files_that_cannot_be_used_are_refused_at_start(make_postern, certificates, settings, words):
    given = {name: value.format(pem=certificates.folder / "ok.pem") for name, value in settings.items()}
    server = make_postern({"redis_url": "rediss://127.0.0.1:1", **given}, start=False)
    done = server.cli("config", "check", check=False)
    assert done.returncode == 1 and words in done.stderr


def test_nothing_is_lost_when_redis_is_killed_under_load(make_postern, make_sink, make_tls_redis, certificates):
    redis, sink = make_tls_redis("address"), make_sink()
    server = make_postern({"relay_url": f"smtp://127.0.0.1:{sink.port}", "redis_ca_file": certificates.ca_file}, redis=redis)
    with Load(server) as load:
        for _ in range(3):
            load.wait_more(21, timeout=30)
            redis.restart()
        load.wait_more(21, timeout=30)
    assert_delivered(server, load.accepted, timeout=20)

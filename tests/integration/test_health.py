"""postern health: output and exit status, for a live server and for other servers."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from support import harness
from support.harness import wait_for
from support.redis_proxy import Fault, Proxy
from support.talk import Certificates


def health(server, *options, **settings):
    env = dict(server.env(), **{"POSTERN_" + k.upper(): v for k, v in settings.items()})
    return subprocess.run([harness.binary(), "health", *options], cwd=server.directory, env=env, capture_output=True,
                          text=True, timeout=30, check=False)


def answer_of(server, *options, **settings):
    done = health(server, *options, **settings)
    return done.returncode, done.stdout, done.stderr


def test_a_ready_server_is_reported_with_exit_status_0(make_postern):
    server = make_postern(keys=False)
    assert answer_of(server) == (0, "ready\n", "")
    assert answer_of(server, "--ready") == (0, "ready\n", "")


def test_health_checks_do_not_fill_the_log(make_postern):
    server = make_postern()
    assert answer_of(server)[0] == 0
    server.send("a@example.com")

    def logged():
        return [(x["route"], x["status"]) for x in server.log_lines() if x["fact"] == "http.request"]
    wait_for(lambda: ("/v1/messages", 202) in logged(), what="the line of the send")
    assert ("/readyz", 200) not in logged()


@pytest.mark.parametrize("listen", ["[::]:{}", "0.0.0.0:{}", ":{}", "localhost:{}", "[::1]:{}"])
def test_health_works_with_each_form_of_the_listen_setting(make_postern, listen):
    server = make_postern(start=False)
    server.settings["listen"] = listen.format(server.port)
    server.launch()
    wait_for(lambda: answer_of(server, "--ready") == (0, "ready\n", ""), 20, what="ready")


def test_health_accepts_a_certificate_for_another_name(make_postern, tmp_path):
    cert, key = Certificates(tmp_path).files("wrongname")
    server = make_postern({"tls_cert": cert, "tls_key": key}, start=False).launch()
    wait_for(lambda: answer_of(server, "--ready") == (0, "ready\n", ""), 20, what="ready")
    status, said, error = answer_of(server, tls_cert="", tls_key="")  # asked in clear what speaks TLS only
    assert (status, said) == (1, "") and "postern health: " in error


def test_without_redis_postern_is_alive_but_not_ready(make_postern, make_redis):
    redis = make_redis()
    server = make_postern(redis=redis, keys=False, crashes=True)
    redis.kill()

    def is_known():
        status, said, _ = answer_of(server)
        assert status == 0
        return said.startswith("alive, not ready: ")
    wait_for(is_known, what="the loss")
    status, said, _ = answer_of(server, "--ready")
    assert status == 1 and said.startswith("alive, not ready: ") and len(said) > len("alive, not ready: \n")
    redis.start()
    wait_for(lambda: answer_of(server, "--ready") == (0, "ready\n", ""), 20, what="ready again")


def test_health_without_a_server_exits_with_1(make_postern):
    server = make_postern(start=False)
    status, said, error = answer_of(server)
    assert (status, said) == (1, "")
    assert f"postern health: {server.host}: Connection refused\n" == error


def test_health_without_the_role_api_reports_that(make_postern):
    server = make_postern({"roles": "relay,keeper", "redis_url": "redis://127.0.0.1:1"}, start=False)
    assert answer_of(server, "--ready") == (0, "nothing to check: this Postern does not have the role api\n", "")


def test_bad_usage_of_health_exits_with_2(make_postern):
    server = make_postern(start=False)
    assert health(server, "--raedy").returncode == 2


def canaries(server):
    return [line for line in server.log_lines() if "canary" in json.dumps(line)]


def test_the_canary_arrives_before_the_server_is_ready_and_leaves_no_trace(make_postern, make_redis):
    redis = make_redis()
    server = make_postern({"log_level": "debug"}, redis=redis)
    assert server.metric("postern_canaries_total") >= 1
    assert "canary.arrived" in [line["fact"] for line in canaries(server)]
    assert {line["level"] for line in server.log_lines() if line["fact"].startswith(("canary.", "recipient."))} == {"debug"}
    for path in ("/v1/messages", "/v1/events", "/v1/test/inbox?to=canary@postern.invalid"):
        assert server.request("GET", path).json()["data"] == [], path
    for state in ("delivered", "deferred", "bounced", "expired", "failed"):
        assert server.metric(f'postern_recipients_total{{state="{state}"}}') == 0
    assert server.metric("postern_messages_accepted_total") == server.metric("postern_delivery_duration_ms_count") == 0
    before = server.metric("postern_canaries_total")
    for pid in server.children("api"):
        os.kill(pid, signal.SIGKILL)
    server.wait_ready()
    wait_for(lambda: len(server.children("api")) == 2, what="both again")
    assert server.metric("postern_canaries_total") == before, "one proof will do until the next start"


def test_the_server_is_not_ready_while_no_relay_delivers_the_canary(make_postern, make_redis, stack, tmp_path):
    redis = make_redis()
    proxy = stack.add(Proxy(redis.socket, tmp_path / "proxy.sock")).start()
    proxy.faults = [Fault("error", "take", error="LOADING for ever") for _ in range(10000)]
    server = make_postern({"redis_url": proxy.url, "log_format": "json"}, redis=redis, start=False).launch()

    def reason():
        with contextlib.suppress(OSError):
            return server.internal("/readyz").json().get("reason", "")
        return ""
    wait_for(lambda: "no relay has delivered it" in reason(), 20, what="the reason")
    wait_for(lambda: [line for line in server.log_lines() if line["fact"] == "canary.missing"], 60, what="the line of the log")
    assert server.make_keys().send("a@example.com").status == 202, "accepting goes on"
    proxy.faults = []
    server.wait_ready()
    assert server.metric("postern_canaries_total") >= 1


def test_an_api_without_a_relay_sends_no_canary(make_postern, make_redis):
    server = make_postern({"roles": "api"}, redis=make_redis())
    assert server.metric("postern_canaries_total") == 0


class Impostor:
    """Accepts on the server's port, passes each connection to `say`, and keeps it open."""

    def __init__(self, port, say):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.say = say
        self.open = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                self.open.append(self.listener.accept()[0])
                threading.Thread(target=self.answer, args=[self.open[-1]], daemon=True).start()

    def answer(self, connection):
        with contextlib.suppress(OSError):
            self.say(connection)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()


def silent(connection):
    connection.recv(1)


def endless(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: and more\r\n" * 1000)


def drips(connection):
    while True:
        connection.sendall(b"H")
        connection.recv(10000)
        threading.Event().wait(0.2)


def saying(text):
    def say(connection):
        connection.recv(10000)
        connection.sendall(text)
        connection.shutdown(socket.SHUT_RDWR)
    return say


@pytest.mark.parametrize("say, words", [
    (silent, "no response in time"), (drips, "no response in time"), (endless, "does not speak HTTP"),
    (saying(b""), "connection closed"), (saying(b"220 mail.example ESMTP\r\n"), "does not speak HTTP"),
    (saying(b"HTTP/1.1 2"), "does not speak HTTP"), (saying(b"HTTP/1.1 2000 OK\r\n\r\n"), "does not speak HTTP"),
    (saying(b"HTTP/1.1 200 OK\r\n"), "does not speak HTTP"),
    (saying(b"HTTP/1.1 404 Not Found\r\n\r\n"), "returned 404")])
def test_a_server_that_is_not_postern_is_reported_soon_with_exit_status_1(make_postern, stack, say, words):
    server = make_postern(start=False)
    stack.add(Impostor(server.port, say))
    status, said, error = answer_of(server)
    assert (status, said) == (1, "") and words in error, error


@pytest.mark.parametrize("body, line", [
    (b'{"status":"not ready","reason":"Redis: \\u001b[31mno\\n\\u007f"}', "alive, not ready: Redis: ?[31mno??"),
    (b"", "alive, not ready: no reason given"), (b'{"reason":7}', "alive, not ready: no reason given"),
    (b"<html>", "alive, not ready: no reason given"), (b"[" * 5000, "alive, not ready: no reason given")])
def test_a_reason_is_printed_without_control_characters(make_postern, stack, body, line):
    server = make_postern(start=False)
    stack.add(Impostor(server.port, saying(b"HTTP/1.1 503 Service Unavailable\r\n\r\n" + body)))
    assert answer_of(server) == (0, line + "\n", "")


def test_without_the_listener_for_operators_nothing_gives_metrics_or_the_reason(make_postern, make_redis):
    redis = make_redis()
    server = make_postern({"metrics_listen": "off"}, redis=redis, keys=False)
    assert [server.request("GET", path, key=None).status for path in ("/metrics", "/readyz")] == [404, 200]
    with pytest.raises(ConnectionRefusedError):
        server.internal("/metrics")
    redis.stop()
    wait_for(lambda: server.request("GET", "/readyz", key=None).json() == {"status": "not ready"}, 20)
    assert answer_of(server, "--ready") == (1, "alive, not ready: no reason given\n", "")
    redis.start()
    wait_for(lambda: answer_of(server, "--ready") == (0, "ready\n", ""), 20, what="ready again")

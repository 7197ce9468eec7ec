"""SIGHUP: a new generation of processes takes over, and clients do not notice."""
import http.client
import json
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from support import harness


def reloaded(server, n, timeout=20):
    """Waits until n reloads are done."""
    harness.wait_for(lambda: sum(line.get("fact") == "reload.done" for line in server.log_lines()) == n, timeout, what=f"{n} reloads done")


def hang_up(server):
    server.process.send_signal(signal.SIGHUP)


@pytest.fixture
def configured(make_postern, world):
    """A server whose settings are in a postern.yaml beside it: (server, write)."""
    server = make_postern(world.settings, start=False)

    def write(text):
        (server.directory / "postern.yaml").write_text(text)
    write("log_level: info\n")
    server.start().make_keys()
    return server, write


class Load:
    """Clients that keep their connection, and clients that do not. Collects all responses other than 202."""

    def __init__(self, server, prefix):
        self.server, self.prefix, self.ids, self.faults, self.stopping = server, prefix, [], [], False
        self.threads = [threading.Thread(target=self.run, args=(i, i % 2 == 0)) for i in range(6)]
        for t in self.threads:
            t.start()

    def run(self, number, keeps):
        connection, n = None, 0
        while not self.stopping:
            try:
                n += 1
                connection = connection or http.client.HTTPConnection(self.server.host, timeout=20)
                body = json.dumps({"from": "a@load.test", "to": [f"ok-{self.prefix}{number}x{n}@d16.test"], "text": "x"})
                connection.request("POST", "/v1/messages", body, {"Authorization": f"Bearer {self.server.live_key}",
                                                                 "Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 202:
                    self.ids.append(json.loads(text)["id"])
                else:
                    self.faults.append((answer.status, text))
                if not keeps or answer.headers.get("Connection") == "close":
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as e:
                self.faults.append(repr(e))
                connection = None
            time.sleep(0.03)

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()


def test_under_load_no_request_is_refused_and_no_mail_is_cut_or_doubled(configured, world):
    server, write = configured
    load = Load(server, "r")
    slow = server.send("slow_dot_9000-slow@d16.test", key=server.live_key).json()["id"]
    world.sink.wait_begun("slow_dot_9000-slow@d16.test")
    before = set(server.children("api")) | set(server.children("relay"))
    for n in (1, 2, 3):
        write(f"max_recipients: {20 + n}\n")
        hang_up(server)
        reloaded(server, n)
        time.sleep(0.5)
    load.stop()
    assert not load.faults, (len(load.faults), len(load.ids), load.faults[:5])
    assert len(load.ids) > 300
    for id in [slow, *load.ids]:
        message = server.wait_terminal(id, key=server.live_key, timeout=40)
        assert message["status"] == "delivered" and "possible_duplicate" not in message["recipients"][0]
        to = message["recipients"][0]["email"]
        assert len(world.sink.taken(to)) == 1, to
    harness.wait_for(lambda: not before & (set(server.children("api")) | set(server.children("relay"))), 30, what="the old ones are gone")
    assert {role: len(server.children(role)) for role in ("api", "relay", "keeper", "hooks")} == {"api": 2, "relay": 2, "keeper": 1, "hooks": 1}


def test_a_setting_takes_effect(configured):
    server, write = configured
    many = [f"u{i}@many.test" for i in range(3)]
    assert server.send(many).status == 202
    write("max_recipients: 2\n")
    hang_up(server)
    reloaded(server, 1)
    harness.wait_for(lambda: server.send(many).status == 422, 15)
    ended = lambda: [line for line in server.log_lines() if line.get("fact") == "child.ended" and line["child"] == "keeper"]
    assert harness.wait_for(ended, 15)[0]["level"] == "info", "the end of the old generation is no alarm"


@pytest.mark.parametrize("text,word", [("max_recipients: [\n", "postern.yaml"), ("max_recipents: 2\n", "max_recipients"),
                                       ("max_recipients: 0\n", "max_recipients"), ("tls_cert: /nowhere.pem\ntls_key: /nowhere.key\n", "nowhere")])
def test_a_wrong_setting_changes_nothing_and_is_logged(configured, text, word):
    server, write = configured
    before = server.children()
    write(text)
    hang_up(server)
    line = harness.wait_for(lambda: next((l for l in server.log_lines() if l.get("fact") == "reload.refused"), None), 10)
    assert line["level"] == "error" and word in line["reason"], line
    assert server.send("still@there.test").status == 202
    assert server.children() == before
    assert server.metric("postern_reloads_failed_total") == 1


def test_a_setting_that_needs_a_restart_is_logged_and_keeps_its_value(configured):
    server, write = configured
    write("max_recipients: 9\npartitions: 4\ndurability: relaxed\n")
    hang_up(server)
    reloaded(server, 1)
    line, = [l for l in server.log_lines() if l.get("fact") == "reload.needs_restart"]
    assert "partitions" in line["settings"] and "max_recipients" not in line["settings"]
    assert server.send("kept@there.test").status == 202


def certificate(directory, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-keyout", directory / "key.pem", "-out", directory / "cert.pem"], check=True, capture_output=True)


def common_name(server):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain, context.wrap_socket(plain) as s:
        return subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=s.getpeercert(True), capture_output=True,
                              check=True).stdout.decode().strip().rpartition(" ")[2]


def test_a_new_certificate_is_served(make_postern, tmp_path):
    certificate(tmp_path, "first.test")
    server = make_postern({"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}, start=False).launch()
    harness.wait_for(lambda: "first.test" in (try_name(server) or ""), 20)
    certificate(tmp_path, "second.test")
    hang_up(server)
    reloaded(server, 1)
    assert "second.test" in common_name(server)


def try_name(server):
    try:
        return common_name(server)
    except OSError:
        return None


def test_many_hangups_at_once_do_no_harm(configured):
    server, _ = configured
    for _ in range(5):
        hang_up(server)
        time.sleep(0.05)
    reloaded(server, 2)
    harness.wait_for(lambda: len(server.children("api")) == 2, 30)
    assert server.send("calm@there.test").status == 202


def test_gauges_cover_only_living_processes(configured):
    server, _ = configured
    workers = len(server.children("api"))
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(12)]
    for s in held:
        s.sendall(f"GET /healthz HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        assert s.recv(4096).startswith(b"HTTP/1.1 200")
    assert server.metric("postern_http_connections") > 12
    for n in (1, 2):
        hang_up(server)
        reloaded(server, n)
    for s in held:
        s.close()
    harness.wait_for(lambda: server.metric("postern_api_processes") == workers, 20, what="the old generations' end")
    harness.wait_for(lambda: server.metric("postern_http_connections") == 1, 20, what="no connection but the one that asks")

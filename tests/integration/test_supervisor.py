"""The supervisor and its embedded Redis: restarts, the order of the end, and secrets."""
import collections
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from support import harness
from support.harness import wait_for

CANARY = "canary7canary7canary7canary7"


def pids(server, role):
    return set(server.children(role))


def restart_of(server, role, sig=signal.SIGKILL):
    """Kills one child of a role; returns (old, new)."""
    before = pids(server, role)
    old = sorted(before)[0]
    os.kill(old, sig)
    new = wait_for(lambda: pids(server, role) - before, 15, what=f"another {role}")
    return old, new.pop()


def test_one_child_a_role_and_worker(make_postern):
    server = make_postern({"workers_api": 2, "workers_relay": 3}, keys=False)
    assert {role: len(pids(server, role)) for role in ("api", "relay", "keeper", "redis")} == {
        "api": 2, "relay": 3, "keeper": 1, "redis": 1}


@pytest.mark.parametrize("role", ["api", "relay", "keeper"])
def test_a_killed_child_is_started_again_and_the_others_stay(make_postern, role):
    server = make_postern()
    others = {r: pids(server, r) for r in ("api", "relay", "keeper", "redis") if r != role}
    restart_of(server, role)
    assert {r: pids(server, r) for r in others} == others
    server.wait_ready()
    assert server.deliver("a@example.com")["recipients"][0]["status"] == "delivered"
    assert server.metric("postern_child_restarts_total") == 1


def test_a_killed_redis_is_started_again_on_the_same_files(make_postern):
    server = make_postern()
    done = server.deliver("before@example.com")
    restart_of(server, "redis")
    server.wait_ready()
    assert server.message(done["id"])["recipients"][0]["status"] == "delivered"
    assert server.deliver("after@example.com")["recipients"][0]["status"] == "delivered"


def test_orphans_are_reaped_as_pid_1_must(make_postern):
    server = make_postern(start=False)
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(["sh", "-c", 'sleep 1000 & exec "$0" serve', harness.binary()], env=server.env(),
                                          cwd=server.directory, stdout=log, stderr=log, start_new_session=True)
    server.wait_ready()
    stranger = (set(harness.direct_children(server.process.pid)) - set(server.children())).pop()
    os.kill(stranger, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{stranger}").exists(), what="the end of the zombie")
    server.wait_ready()


def test_after_a_relays_death_its_owner_is_recovered(make_postern):
    server = make_postern({"workers_relay": 1})
    relay = pids(server, "relay").pop()
    owner = next(x["owner"] for x in server.log_lines() if x.get("child_pid") == relay and x.get("owner"))
    assert re.fullmatch(r"[A-Za-z0-9-]+\.[0-9a-z]{12}", owner)
    os.kill(relay, signal.SIGKILL)

    def recovered():
        lines = list(server.log_lines())
        started = [x for x in lines if x.get("child") == "recover" and x["fact"] == "child.started"]
        ended = [x for x in lines if x.get("child") == "recover" and x["fact"] == "child.ended"]
        return ended and started[0]["owner"] == owner
    wait_for(recovered, 15, what="the recovery")
    wait_for(lambda: pids(server, "relay"), 15, what="another relay")
    owners = {x["owner"] for x in server.log_lines() if x.get("child") == "relay" and x.get("owner")}
    assert len(owners) == 2


def test_sigterm_ends_all_in_order(make_postern):
    server = make_postern()
    everyone = list(harness.descendants_of(server.process.pid))
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < 10
    assert not [pid for pid in everyone if Path(f"/proc/{pid}").exists()]
    ends = [x["child"] for x in server.log_lines() if x["fact"] == "child.ended"]
    assert ends[-1] == "redis"
    assert not [x for x in server.log_lines() if x["fact"] == "child.died"]


def test_ctrl_c_does_not_reach_redis_before_the_relays_have_ended(make_postern):
    server = make_postern()
    redis = pids(server, "redis").pop()
    assert os.getpgid(redis) == redis
    os.killpg(server.process.pid, signal.SIGINT)
    server.process.wait(20)
    ends = [x["child"] for x in server.log_lines() if x["fact"] == "child.ended"]
    assert ends[-1] == "redis" and ends.count("relay") == 2
    server.stop()


def test_no_process_outlives_a_killed_supervisor_and_the_next_start_works(make_postern):
    server = make_postern()
    done = server.deliver("a@example.com")
    everyone = list(harness.descendants_of(server.process.pid))
    server.process.kill()
    server.process.wait()
    server.launch()
    server.wait_ready(30)
    wait_for(lambda: not [pid for pid in everyone if harness.is_alive(pid)], 15, what="the old ones' end")
    assert server.message(done["id"])["recipients"][0]["status"] == "delivered"


def test_a_second_postern_on_the_same_data_directory_is_refused(make_postern):
    server = make_postern(keys=False)
    env = dict(server.env(), POSTERN_LISTEN=f"127.0.0.1:{harness.free_port()}", POSTERN_METRICS_LISTEN="off")
    done = subprocess.run([harness.binary(), "serve"], env=env, cwd=server.directory, capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 1
    assert f"(pid {server.process.pid})" in done.stderr and "another postern is using" in done.stderr
    server.wait_ready()


def test_a_second_postern_on_the_same_port_is_refused(make_postern, tmp_path):
    server = make_postern(keys=False)
    env = dict(server.env(), POSTERN_DATA_DIR=str(tmp_path / "other"))
    done = subprocess.run([harness.binary(), "serve"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 1
    assert f"{server.host} is in use" in done.stderr


def test_a_data_directory_too_long_for_a_socket_is_refused(make_postern, tmp_path):
    server = make_postern({"data_dir": str(tmp_path / ("x" * 110))}, start=False)
    done = server.cli("serve", check=False)
    assert done.returncode == 1
    assert "too long" in done.stderr


def test_a_start_without_redis_server_names_the_package_to_install(make_postern, tmp_path):
    server = make_postern(start=False)
    done = subprocess.run([harness.binary(), "serve"], env=dict(server.env(), PATH=str(tmp_path)), cwd=tmp_path,
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "apt-get install redis-server" in done.stderr


def test_a_redis_that_cannot_start_ends_the_start(make_postern, tmp_path):
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "redis-server").write_text("#!/bin/sh\nexit 3\n")
    (fake / "redis-server").chmod(0o755)
    server = make_postern(start=False)
    done = subprocess.run([harness.binary(), "serve"], env=dict(server.env(), PATH=f"{fake}:/usr/bin:/bin"), cwd=tmp_path,
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "redis.log" in done.stderr


def test_the_embedded_redis_has_the_settings_that_are_promised(make_postern):
    server = make_postern(keys=False)
    with harness.RedisClient(server.redis_socket) as redis:
        def get(name):
            return redis("CONFIG", "GET", name)[1].decode()
        assert get("appendonly") == "yes" and get("appendfsync") == "always"
        assert get("maxmemory-policy") == "noeviction" and get("save") == ""
        assert get("port") == "0" and get("databases") == "1"
    assert os.stat(server.redis_socket).st_mode & 0o077 == 0
    assert os.stat(server.settings["data_dir"]).st_mode & 0o077 == 0


def test_roles_can_run_on_separate_machines_with_one_redis(make_postern, make_redis):
    redis = make_redis()
    api = make_postern({"roles": "api", "workers_api": 1}, redis=redis)
    make_relay = make_postern({"roles": "relay,keeper", "workers_relay": 1}, redis=redis, start=False)
    make_relay.launch()
    assert api.deliver("a@example.com")["recipients"][0]["status"] == "delivered"
    assert set(api.children().values()) == {"api"}
    assert "\npostern_store_ready 1\n" in api.internal("/metrics").body.decode()
    wait_for(lambda: set(make_relay.children().values()) == {"relay", "keeper"}, what="relay and keeper")


def test_a_relay_machine_opens_no_port(make_postern, make_redis):
    server = make_postern({"roles": "relay,keeper"}, redis=make_redis(), start=False).launch()
    wait_for(lambda: len(server.children()) == 3, what="two relays and a keeper")
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", server.port)) != 0


def test_hangup_does_not_end_serve(make_postern):
    server = make_postern(keys=False)
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload.done" in server.log(), 20, what="the log line")
    server.wait_ready()


def limits_of(pid, name):
    line = re.search(rf"(?m)^{name}\s+(\S+)\s+(\S+)", Path(f"/proc/{pid}/limits").read_text())
    return line.group(1), line.group(2)


def test_processes_raise_their_descriptor_limit_and_write_no_core_files(make_postern):
    server = make_postern(keys=False)
    for pid in [server.process.pid, *server.children()]:
        soft, hard = limits_of(pid, "Max open files")
        assert soft == hard or int(soft) >= 10000
        if "asan" not in harness.binary():
            assert limits_of(pid, "Max core file size")[0] == "0"


def test_secrets_are_not_in_the_arguments_or_the_environment(make_postern, monkeypatch):
    monkeypatch.setenv("POSTERN_BINARY", harness.readable_binary())
    server = make_postern({"root_key": CANARY, "relay_url": f"smtp://user:{CANARY}@127.0.0.1:1"})
    server.send("a@example.com")
    for pid in [server.process.pid, *harness.descendants_of(server.process.pid)]:
        for name in ("environ", "cmdline"):
            assert CANARY.encode() not in Path(f"/proc/{pid}/{name}").read_bytes(), (pid, name)
    server.stop()
    for file in Path(server.directory).rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file


# ---- connections and the API processes that share them ----

def ask_on_a_new_connection(server):
    """A keep-alive connection whose first request was answered."""
    s = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    s.sendall(f"GET /healthz HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
    assert s.recv(4096).startswith(b"HTTP/1.1 200")
    return s


def connections_by_process(server, n):
    """How many requests for /healthz each API process logged, n in all: one for each connection of the test."""
    def pids_of_requests():
        return [x["pid"] for x in server.log_lines() if x["fact"] == "http.request" and x["route"] == "/healthz"]
    return collections.Counter(wait_for(lambda: len(pids_of_requests()) == n and pids_of_requests(), what=f"{n} lines of requests"))


def test_connections_go_to_the_api_process_with_fewer_connections(make_postern):
    server = make_postern({"workers_api": 2, "log_level": "debug"}, keys=False)
    stuck, other = sorted(pids(server, "api"))
    os.kill(stuck, signal.SIGSTOP)
    try:
        first = [ask_on_a_new_connection(server) for _ in range(40)]
    finally:
        os.kill(stuck, signal.SIGCONT)
    assert connections_by_process(server, 40) == {other: 40}, "one that takes none keeps nobody waiting"
    assert server.metric("postern_http_connections") >= 40
    assert server.metric("postern_api_processes") == 2
    second = [ask_on_a_new_connection(server) for _ in range(40)]
    assert connections_by_process(server, 80)[stuck] >= 28
    for s in first + second:
        s.close()

"""The image and docker/compose.yaml, in real containers: start, mail, crash, stop, privileges."""
import functools
import json
import os
import threading
import time

import pytest
from conftest import IMAGE, Gateway
from support import harness, killtest, ledger, receiver
from support.harness import wait_for

HARDENED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
# A line a process: number, parent, state, name, user id, effective capabilities.
PROCESSES = r"""for p in /proc/[0-9]*; do
	sed -n -E 's/^(Name|State|Pid|PPid|Uid|CapEff|NoNewPrivs):\s*(\S+).*/\1=\2/p' $p/status 2>/dev/null | tr '\n' ' '; echo
done"""


def processes(engine, container):
    lines = engine("exec", container, "sh", "-c", PROCESSES).stdout.splitlines()
    return [dict(word.split("=", 1) for word in line.split()) for line in lines if "Pid=" in line]


def test_a_mail_goes_through_to_the_sink(stack):
    assert stack.gateway.deliver("ok-first@d0.test", key=stack.gateway.live_key)["recipients"][0]["status"] == "delivered"
    assert len(stack.sink.taken("ok-first@d0.test")) == 1
    assert stack.gateway.deliver("inbox@example.com")["recipients"][0]["status"] == "delivered"
    assert b"Thank you" in stack.gateway.request("GET", "/v1/test/inbox?to=inbox@example.com").body


@functools.cache
def webhook(stack):
    """An endpoint for the live key's project, made once; its secret."""
    answer = stack.gateway.request("POST", "/v1/webhooks", json={"url": "http://receiver:8000/hook"}, key=stack.gateway.live_key)
    assert answer.status == 201, answer
    return answer.json()["secret"]


def told(stack):
    """{(message, recipient): the statuses in webhooks}. Each may arrive more than once, and late."""
    told = {}
    for request in receiver.read(stack.webhooks):
        data = json.loads(request["body"])["data"]
        if "recipient" in data:
            told.setdefault((data["message_id"], data["recipient"]), set()).add(data["status"])
    return told


def test_a_webhook_comes_back(stack):
    secret = webhook(stack)
    id = stack.gateway.deliver("ok-hook@d0.test", key=stack.gateway.live_key)["id"]
    wait_for(lambda: told(stack).get((id, "ok-hook@d0.test")) == {"delivered"}, 20, 0.2, "the webhook")
    for request in receiver.read(stack.webhooks):
        assert receiver.verify(request, secret)


def test_alive_and_ready_differ(stack):
    redis, postern = stack.container("redis"), stack.container("postern")
    assert stack.gateway.cli("health", "--ready").stdout == "ready\n"
    assert stack.engine.stop(redis) == 0
    wait_for(lambda: not stack.engine.is_healthy(postern), 30, 0.2, "compose.yaml's health check fails")
    alive = stack.gateway.cli("health")
    assert alive.stdout.startswith("alive, not ready: ")
    assert stack.gateway.send("a@example.com").status == 503
    stack.engine.start(redis)
    stack.wait_healthy()


@pytest.mark.parametrize("service", ["postern", "redis"])
def test_it_runs_without_privileges_and_can_only_write_to_its_data(stack, service):
    container = stack.container(service)
    rows = processes(stack.engine, container)
    assert {row["Name"] for row in rows if row["Pid"] == "1"} <= {"postern", "redis-server"}
    assert {(row["Uid"], row["CapEff"], row["NoNewPrivs"]) for row in rows} == {("10001", "0" * 16, "1")}
    assert all(stack.engine("exec", container, "sh", "-c", f"echo x >{folder}/x", check=False).returncode
               for folder in ("", "/etc/postern", "/usr/local/bin", "/home", "/var/lib"))
    stack.engine("exec", container, "sh", "-c", "echo x >/data/x && rm /data/x")
    writable = stack.engine("exec", container, "sh", "-c", "find / -xdev -writable -not -type l 2>/dev/null", check=False).stdout
    mounts = {line.split()[1] for line in stack.engine("exec", container, "cat", "/proc/mounts").stdout.splitlines()}
    assert set(writable.split()) <= mounts - {"/"}


def test_the_supervisor_reaps_orphans(stack):
    container = stack.container("postern")
    stack.engine("exec", container, "sh", "-c", "sleep 5 & sleep 5 & exit 0")
    orphans = {row["Pid"] for row in processes(stack.engine, container) if row["Name"] == "sleep" and row["PPid"] == "1"}
    assert orphans

    def are_gone():
        return not orphans & {row["Pid"] for row in processes(stack.engine, container)}
    wait_for(are_gone, 60, 0.2, "the orphans' end")
    assert not [row for row in processes(stack.engine, container) if row["State"] == "Z"]


class Crashes(threading.Thread):
    """Kills the containers in turn, and starts each again at once."""

    def __init__(self, stack, times, every):
        super().__init__(daemon=True)
        self.stack, self.times, self.every = stack, times, every
        self.killed = []

    def run(self):
        for i in range(self.times):
            time.sleep(self.every)
            service = ("redis", "postern")[i % 2]
            container = self.stack.container(service)
            self.stack.engine.kill(container)
            self.killed.append(service)
            self.stack.engine.start(container)


def test_nothing_accepted_is_lost_when_either_container_is_killed(stack, capsys):
    webhook(stack)
    journal = killtest.Journal(stack.directory / "injector.jsonl")
    before = len(stack.sink.rows())
    injector = killtest.Injector(stack.gateway, stack.gateway.live_key, journal, rate=60, seed=os.getpid(), threads=12)
    crashes = Crashes(stack, times=6, every=4)
    crashes.start()
    injector.run(28)
    crashes.join(120)
    assert crashes.killed == ["redis", "postern"] * 3
    stack.wait_healthy()
    injector.finish(60)
    finals = killtest.drain(stack.gateway, stack.gateway.live_key, list(injector.ids.values()), 90)
    report = ledger.check(journal.lines, stack.sink.rows()[before:], finals.values())
    with capsys.disabled():
        print(f"\nkill -9 of {', '.join(crashes.killed)} under 60 messages a second:\n{report.markdown()}")
    assert report.is_clean, report.markdown()
    assert report.told["accepted"] > 1000
    ends = [((final["id"], r["email"]), r["status"]) for final in finals.values() for r in final["recipients"]]

    def all_told():
        seen = told(stack)
        return all(status in seen.get(who, ()) for who, status in ends)
    wait_for(all_told, 60, 0.5, "a webhook for every end")
    assert not [row for row in processes(stack.engine, stack.container("postern")) if row["State"] == "Z"]


def test_a_stop_lets_an_open_delivery_end_and_exits_with_0(stack):
    to = "slow_dot_3000-stop@d0.test"
    id = stack.gateway.send(to, key=stack.gateway.live_key).json()["id"]
    stack.sink.wait_begun(to)
    assert stack.engine.stop(stack.container("postern")) == 0
    assert len(stack.sink.taken(to)) == 1
    assert "child.died" not in stack.gateway.log().rpartition('"draining"')[2]
    stack.services.up()
    recipient = stack.gateway.wait_terminal(id, key=stack.gateway.live_key)["recipients"][0]
    assert (recipient["status"], recipient["attempts"]) == ("delivered", 1)
    assert len(stack.sink.taken(to)) == 1


def test_the_data_survives_down_and_up(stack):
    done = stack.gateway.deliver("ok-down@d0.test", key=stack.gateway.live_key)
    waiting = stack.gateway.send("first1fail-down@d0.test", key=stack.gateway.live_key).json()
    stack.services.down()
    stack.services.up()
    assert stack.gateway.message(done["id"], key=stack.gateway.live_key)["status"] == "delivered"
    assert stack.gateway.wait_terminal(waiting["id"], key=stack.gateway.live_key)["status"] == "delivered"


def test_redis_refuses_clients_without_the_password(stack):
    redis = ["exec", stack.container("redis"), "redis-cli"]
    assert "NOAUTH" in stack.engine(*redis, "get", "pn:{g}:meta").stdout
    assert "NOAUTH" in stack.engine(*redis, "flushall").stdout
    assert "NOPERM" in stack.engine(*redis, "--user", "health", "--pass", "none", "flushall").stdout


# ---- the image alone: its own Redis, one volume ----

class Alone:
    def __init__(self, engine):
        self.engine = engine
        self.name = f"postern-test-{os.getpid()}-alone"
        self.volume = self.name
        self.port = harness.free_port()
        self.gateway = Gateway(engine, lambda: self.name, self.port)

    def words(self, name, port):
        return ["--name", name, *HARDENED, *["--read-only-tmpfs=false"] * self.engine.is_podman, "-v", f"{self.volume}:/data",
                "-p", f"127.0.0.1:{port}:8080", "-e", "POSTERN_LOG_FORMAT=json", "--stop-timeout=60", IMAGE]

    def run(self):
        self.engine("run", "-d", *self.words(self.name, self.port))
        self.wait_ready()
        return self

    def wait_ready(self):
        wait_for(lambda: self.gateway.cli("health", "--ready", check=False).returncode == 0, 30, 0.2, "ready")

    def remove(self):
        print(self.engine.logs(self.name)[-6000:])
        self.engine("rm", "-f", self.name, check=False)
        self.engine("volume", "rm", self.volume, check=False)


@pytest.fixture(scope="module")
def alone(engine):
    a = Alone(engine)
    try:
        a.run().gateway.make_keys()
        yield a
    finally:
        a.remove()


def test_the_image_alone_has_its_own_redis(alone):
    assert "redis-server" in {row["Name"] for row in processes(alone.engine, alone.name)}
    assert alone.engine.is_healthy(alone.name)
    assert alone.gateway.deliver("inbox@example.com")["recipients"][0]["status"] == "delivered"
    assert b"Thank you" in alone.gateway.request("GET", "/v1/test/inbox?to=inbox@example.com").body


def test_the_image_alone_survives_kill_9_and_removal(alone):
    first = alone.gateway.deliver("first@example.com")
    alone.engine.kill(alone.name)
    alone.engine.start(alone.name)
    alone.wait_ready()
    assert alone.gateway.message(first["id"])["status"] == "delivered"
    second = alone.gateway.deliver("second@example.com")
    assert alone.engine.stop(alone.name) == 0
    alone.engine("rm", alone.name)
    alone.run()
    assert alone.gateway.message(second["id"])["status"] == "delivered"
    assert not [row for row in processes(alone.engine, alone.name) if row["State"] == "Z"]


def test_a_second_container_on_the_same_volume_is_refused(alone):
    done = alone.engine("run", "--rm", *alone.words(alone.name + "-2", harness.free_port()), check=False)
    assert done.returncode == 1
    assert "another postern is using /data" in done.stderr
    assert alone.gateway.deliver("still@example.com")["recipients"][0]["status"] == "delivered"


# ---- what the image says of itself ----

def test_the_labels_of_the_image_name_its_version(engine, capsys):
    image = json.loads(engine("image", "inspect", IMAGE).stdout)[0]
    labels = image["Config"]["Labels"]
    said = engine("run", "--rm", IMAGE, "version").stdout
    assert said == f"postern {labels['org.opencontainers.image.version']}\n"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    with capsys.disabled():
        print(f"\nimage: {image['Size'] / 1e6:.0f} MB, {said}", end="")


def test_the_settings_of_the_image_are_as_documented(engine):
    image = json.loads(engine("image", "inspect", IMAGE).stdout)[0]
    config = image["Config"]
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == ("10001:10001", ["postern"], ["serve"])
    assert list(config["ExposedPorts"]) == ["8080/tcp"] and list(config["Volumes"]) == ["/data"]
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert (config.get("Healthcheck") or image["Healthcheck"])["Test"] == ["CMD", "postern", "health"]
    listed = engine("run", "--rm", "--entrypoint", "sh", IMAGE, "-c", "command -v gcc make python3; ls /src", check=False).stdout
    assert listed == ""

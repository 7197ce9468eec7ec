"""The Redis user of docker/users.acl: exactly the commands that Postern needs."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support import harness
from support.harness import ROOT, RedisClient, RedisError, wait_for

PASSWORD = "canary0of0the0redis0password"
SUBCOMMANDS = {"CONFIG": "config|get", "FUNCTION": "function|list function|load", "CLUSTER": "cluster|info cluster|slots"}
NEVER_REFUSED = {"AUTH"}
NO_COMMANDS_HERE = {"READONLY"}  # the name of an error too


class GuardedRedis(harness.Redis):
    """As compose.yaml starts it, by docker/redis.sh."""

    def __init__(self, directory):
        super().__init__(directory)
        shutil.copytree(ROOT / "docker", self.directory / "docker")
        with open(self.directory / "docker" / "users.acl", "a", encoding="utf-8") as f:
            f.write("user witness on nopass -@all +acl|log +info +command ~* &*\n")
        self.port = harness.free_port()
        self.url = f"redis://postern:{PASSWORD}@127.0.0.1:{self.port}"

    def start(self):
        with open(self.directory / "redis.log", "ab") as log:
            self.process = subprocess.Popen(
                ["sh", "docker/redis.sh", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.socket],
                cwd=self.directory,
                env={"PATH": f"{Path(harness.binary()).parent}:/usr/bin:/bin", "REDIS_PASSWORD": PASSWORD, "REDIS_MAXMEMORY": "64mb"},
                stdout=log, stderr=log, start_new_session=True)
        wait_for(self.is_up, 30, 0.01, "redis-server answers")
        return self

    def is_up(self):
        try:
            return self.as_user("health", "none", "PING") == "PONG"
        except (OSError, RedisError):
            return False

    def as_user(self, user, password, *words):
        with RedisClient(self.socket) as r:
            r("AUTH", user, password)
            return r(*words)


@pytest.fixture
def guarded(tmp_path, stack):
    return stack.add(GuardedRedis(tmp_path / "redis")).start()


def test_postern_can_do_all_its_work_as_that_user(make_postern, make_sink, guarded):
    sink = make_sink()
    server = make_postern({"relay_url": f"smtp://127.0.0.1:{sink.port}", "retry_first_s": 1}, redis=guarded)
    for to, status in (("ok-a@d0.test", "delivered"), ("dot5xx-a@d0.test", "bounced"), ("first1fail-a@d0.test", "delivered")):
        assert server.deliver(to, key=server.live_key)["recipients"][0]["status"] == status
    assert server.deliver("inbox@example.com")["recipients"][0]["status"] == "delivered"
    assert b"Thank you" in server.request("GET", "/v1/test/inbox?to=inbox@example.com").body
    again = [server.send("twice@example.com", http_headers={"Idempotency-Key": "k1"}).json()["id"] for _ in range(2)]
    assert again[0] == again[1]
    assert server.send("large@example.com", text="x" * 3_000_000).status == 202
    server.cli("project", "create", "shop")
    key = server.create_key("web", project="shop", test=True)
    assert server.request("GET", "/v1/test/inbox?to=a@b.example", key=key).status == 200
    server.stop()
    assert guarded.as_user("witness", "", "ACL", "LOG") == []


def test_commands_that_destroy_or_spy_are_not_allowed(guarded):
    for words in (["FLUSHALL"], ["KEYS", "*"], ["SCAN", "0"], ["CONFIG", "SET", "appendfsync", "no"], ["CONFIG", "REWRITE"],
                  ["EVAL", "return 1", "0"], ["SHUTDOWN"], ["ACL", "LIST"], ["MONITOR"],
                  ["REPLICAOF", "127.0.0.1", "1"], ["MODULE", "LIST"], ["CLIENT", "LIST"], ["FUNCTION", "FLUSH"],
                  ["GET", "other"], ["SSUBSCRIBE", "other"], ["BGREWRITEAOF"]):
        with pytest.raises(RedisError, match="NOPERM"):
            guarded.as_user("postern", PASSWORD, *words)
        with pytest.raises(RedisError, match="NOPERM"):
            guarded.as_user("health", "", *words)
        with pytest.raises(RedisError, match="NOAUTH"):
            guarded(*words)
    for user, password in (("postern", "other"), ("default", ""), ("default", PASSWORD)):
        with pytest.raises(RedisError, match="WRONGPASS"):
            guarded.as_user(user, password, "PING")
    with pytest.raises(RedisError, match="NOPERM"):
        guarded.as_user("health", "", "GET", "pn:{g}:meta")


def test_redis_has_its_data_after_a_restart(make_postern, guarded):
    server = make_postern(redis=guarded)
    done = server.deliver("first@example.com")
    waiting = server.deliver("second@example.com")
    for end in (guarded.stop, guarded.kill):
        end()
        guarded.start()
        server.wait_ready()
        assert server.message(done["id"]) == done and server.message(waiting["id"]) == waiting
    assert "CRITICAL" not in (guarded.directory / "redis.log").read_text()


def test_the_settings_of_redis_are_those_that_postern_requires(guarded):
    for name, value in (("appendonly", b"yes"), ("appendfsync", b"always"), ("maxmemory-policy", b"noeviction"),
                        ("maxmemory", b"67108864"), ("no-appendfsync-on-rewrite", b"no"), ("save", b"")):
        assert guarded.as_user("postern", PASSWORD, "CONFIG", "GET", name)[1] == value


def test_the_password_is_stored_nowhere_in_clear(guarded):
    for file in guarded.directory.rglob("*"):
        if file.is_file():
            assert PASSWORD.encode() not in file.read_bytes(), file
    for what in ("cmdline", "environ"):
        with open(f"/proc/{guarded.process.pid}/{what}", "rb") as f:
            assert PASSWORD.encode() not in f.read()


def test_redis_does_not_start_without_a_password(tmp_path):
    done = subprocess.run(["sh", str(ROOT / "docker" / "redis.sh"), "--port", "0"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0 and "REDIS_PASSWORD" in done.stderr


def commands_in_the_code(known):
    """Every quoted word in the C and Lua of the store that is the name of a Redis command."""
    found = set()
    for folder in ("redis", "store", "keeper"):
        for file in [f for kind in ("*.c", "*.lua") for f in (ROOT / "server" / folder).rglob(kind)]:
            found |= set(re.findall(r"[\"']([A-Z]{2,})[\"']", file.read_text()))
    return (found & known) - NEVER_REFUSED - NO_COMMANDS_HERE


def test_the_list_of_commands_matches_the_code(guarded):
    known = {name.decode().upper() for name in guarded.as_user("witness", "", "COMMAND", "LIST")}
    users = (ROOT / "docker" / "users.acl").read_text().split("user postern ")[1]
    allowed = set(re.findall(r"(?m)(?<=\+)\S+", re.sub(r"(?m)^#.*", "", users)))
    wanted = set(" ".join(SUBCOMMANDS.get(name, name.lower()) for name in commands_in_the_code(known)).split())
    assert len(wanted) > 30
    assert allowed == wanted, f"docker/users.acl lacks {wanted - allowed}, and allows for nothing {allowed - wanted}"

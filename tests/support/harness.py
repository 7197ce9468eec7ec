"""Starts and stops what the integration tests need: Redis, Postern, the SMTP sink."""
import base64
import contextlib
import hashlib
import http.client
import json as jsonlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from support.ledger import TERMINAL

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = ROOT / "tests" / "support"
SANITIZER = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|runtime error:")
DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": "",
           "rdbcompression": "no", "auto-aof-rewrite-min-size": "512mb", "aof-load-truncated": "no"}
ROOT_KEY = "pn_root_canary0123456789abcdefghijklmnop"
SECRET = base64.b64encode(b"canary-of-the-sealing-secret-32b").decode()


def readable_binary():
    """A Postern whose /proc/PID/environ can be read. The release makes itself unreadable, also for root without CAP_SYS_PTRACE,
    as in most containers; with a sanitizer it does not."""
    return str(ROOT / "build" / "asan" / "postern")


def binary():
    named = os.environ.get("POSTERN_BINARY")
    if named:
        return named
    asan = ROOT / "build" / "asan" / "postern"
    if os.environ.get("POSTERN_TEST_ASAN") == "1" and asan.exists():
        return str(asan)
    return str(ROOT / "build" / "postern")


PORTS_GIVEN = set()


def free_port(host="127.0.0.1"):
    """A port that is free now, and that this process has not given to anybody."""
    while True:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((host, 0))
            port = s.getsockname()[1]
        if port not in PORTS_GIVEN:
            PORTS_GIVEN.add(port)
            return port


def wait_for(claim, timeout=10.0, every=0.05, what="the condition"):
    """Calls claim until it returns a true value, and returns that value."""
    end = time.monotonic() + timeout
    while True:
        value = claim()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(every)


# ---- Redis ----

class RedisError(Exception):
    pass


class RedisClient:
    """RESP2 over a Unix socket or TCP, one command at a time. password: of the user `default`."""

    def __init__(self, address, timeout=10, password=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")
        if password:
            self("AUTH", password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def __call__(self, *words):
        parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b"+":
            return rest.decode()
        n = int(rest)
        if kind == b":":
            return n
        if n < 0:
            return None
        if kind == b"$":
            return self.file.read(n + 2)[:-2]
        return [self.reply() for _ in range(n)]

    def info(self, section="everything"):
        text = self("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


class Redis:
    """A redis-server of our own, on a Unix socket, with the settings and the start that Postern asks for."""

    def __init__(self, directory, **settings):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket = str(self.directory / "redis.sock")
        self.url = "unix://" + self.socket
        self.settings = dict(DURABLE, **{name.replace("_", "-"): v for name, v in settings.items()})
        self.env = self.process = None

    def start(self):
        log = self.directory / "appendonlydir"
        if log.exists():
            subprocess.run([binary(), "redis", "mend", str(log)], check=True, timeout=60)
        command = ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", str(self.directory)]
        for name, value in self.settings.items():
            command += ["--" + name, str(value)]
        with open(self.directory / "redis.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.env, start_new_session=True)
        wait_for(self.is_up, 30, 0.01, "redis-server answers")
        return self

    def client(self):
        return RedisClient(self.socket, password=self.settings.get("requirepass"))

    def is_up(self):
        try:
            return self("PING") == "PONG"
        except (OSError, RedisError):
            return False

    def __call__(self, *words):
        with self.client() as r:
            return r(*words)

    def info(self, section="everything"):
        with self.client() as r:
            return r.info(section)

    def kill(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def restart(self):
        if self.process.poll() is None:
            self.kill()
        return self.start()


# ---- the sink ----

class Sink:
    def __init__(self, directory, *options, keep=True):
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.ledger = directory / "sink.jsonl"
        self.ledger.touch()
        self.command = [sys.executable, str(SUPPORT / "sink.py"), "--ledger", str(self.ledger), *options]
        if keep:
            (directory / "mails").mkdir(exist_ok=True)
            self.command += ["--keep", str(directory / "mails")]
        self.process = None
        self.port = 0

    def start(self):
        command = self.command + (["--port", str(self.port)] if self.port else [])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def rows(self, rcpt=None):
        with open(self.ledger, encoding="utf-8") as f:
            rows = [jsonlib.loads(line) for line in f if line.endswith("\n")]
        return [r for r in rows if rcpt is None or r["rcpt"] == rcpt]

    def taken(self, rcpt=None):
        return [r for r in self.rows(rcpt) if r["taken"]]

    def wait_taken(self, rcpt, n=1, timeout=15):
        return wait_for(lambda: len(self.taken(rcpt)) >= n and self.taken(rcpt), timeout,
                        what=f"{n} mails for {rcpt} at the sink")

    def wait_begun(self, rcpt, timeout=15):
        """The slow verb has arrived (RCPT or the dot), and waits now."""
        wait_for(lambda: any(r["code"] == 0 for r in self.rows(rcpt)), timeout, what=f"{rcpt} at the sink")

    def mail(self, rcpt):
        return Path(self.wait_taken(rcpt)[-1]["file"]).read_bytes()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


# ---- the DNS ----

def start_dns(domains):
    """A DNS server in which the domains have mx.test (127.0.0.1) as their MX, and some odd ones."""
    from support.dns_server import DnsServer
    zone = {d: {"MX": ["10 mx.test."]} for d in domains}
    zone.update({
        "mx.test": {"A": ["127.0.0.1"]}, "dead.test": {"A": ["127.0.0.3"]}, "relay.test": {"A": ["127.0.0.1"]},
        "nullmx.test": {"MX": ["0 ."]}, "onlya.test": {"A": ["127.0.0.1"]},
        "twomx.test": {"MX": ["5 dead.test.", "10 mx.test."]},
    })
    return DnsServer(zone).start()


# ---- Postern ----

class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return jsonlib.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


DEFAULT = object()


class Postern:
    """`postern serve` with a data directory of its own. settings: {"relay_url": "..."}; None unsets."""

    def __init__(self, directory, settings=None, redis=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self.metrics_port = free_port()
        self.redis = redis
        defaults = {
            "listen": self.host, "metrics_listen": f"127.0.0.1:{self.metrics_port}", "data_dir": str(self.directory / "data"), "log_format": "json",
            "redis_url": redis.url if redis else None, "root_key": ROOT_KEY, "secret": SECRET,
            "helo_name": "postern.test", "dns_servers": "127.0.0.1@1", "workers_api": 2, "workers_relay": 2,
        }
        self.settings = {**defaults, **(settings or {})}
        self.log_path = self.directory / "postern.log"
        self.process = None
        self.test_key = self.live_key = None

    def env(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
        for name, value in self.settings.items():
            if value is not None:
                env["POSTERN_" + name.upper()] = str(value).lower() if isinstance(value, bool) else str(value)
        env.setdefault("ASAN_OPTIONS", "exitcode=99:abort_on_error=0:detect_leaks=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        return env

    def launch(self, command="serve"):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([binary(), command], cwd=self.directory, env=self.env(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        return self

    def start(self, timeout=30):
        self.launch()
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=30):
        def is_ready():
            assert self.process.poll() is None, f"postern ended with {self.process.returncode}:\n{self.log()[-4000:]}"
            try:  # each API process looks at the store for itself, and any of them answers
                return all(self.request("GET", "/readyz", key=None).status == 200 for _ in range(8))
            except OSError:
                return False
        try:
            wait_for(is_ready, timeout, what="/readyz says 200")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()[-4000:]}") from None

    def wait_not_ready(self, *words, timeout=30, fact="store.cannot_connect"):
        """Waits until /readyz gives a reason with these words. Then the log has it, too."""
        def is_said():
            try:
                answer = self.internal("/readyz")
            except OSError:
                return False
            return answer.status == 503 and all(word in answer.body.decode() for word in words)
        wait_for(is_said, timeout, what=f"/readyz gives {words}: {self.log()[-2000:]}")
        assert any(line["fact"] == fact and all(word in line["reason"] for word in words) for line in self.log_lines())

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self):
        for line in self.log().splitlines():
            with contextlib.suppress(ValueError):
                yield jsonlib.loads(line)

    # -- keys --

    def cli(self, *words, check=True):
        done = subprocess.run([binary(), *words], cwd=self.directory, env=self.env(), capture_output=True,
                              text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, f"postern {' '.join(words)}: {done.stderr}"
        return done

    def create_key(self, name, project="default", scopes="send,read,manage", test=False):
        words = ["key", "create", "--project", project, "--name", name, "--scopes", scopes]
        return self.cli(*words, *(["--test"] if test else [])).stdout.strip()

    @property
    def redis_socket(self):
        return self.redis.socket if self.redis else str(Path(self.settings["data_dir"]) / "redis.sock")

    def key_id(self, key):
        """The store knows a key by its SHA-256."""
        with RedisClient(self.redis_socket) as r:
            found = r("HGET", "pn:{g}:keys", hashlib.sha256(key.encode()).hexdigest())
        return jsonlib.loads(found)["id"]

    def make_keys(self):
        self.test_key = self.create_key("test", test=True)
        self.live_key = self.create_key("live")
        return self

    # -- HTTP --

    def internal(self, path):
        """GET from the listener for operators: /metrics, and /readyz with the reason."""
        return self.request("GET", path, key=None, port=self.metrics_port)

    def request(self, method, path, headers=None, json=None, data=None, key=DEFAULT, timeout=30, port=None, source=None):
        """source: the address that the connection comes from."""
        headers = dict(headers or {})
        if key is DEFAULT:
            key = self.test_key
        if key:
            headers.setdefault("Authorization", f"Bearer {key}")
        if json is not None:
            data = jsonlib.dumps(json).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout, source_address=source and (source, 0))
        try:
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            response = Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
        if answer.headers["Content-Type"] == "application/problem+json" and method != "HEAD":
            detail = response.json().get("detail", "A problem without detail.")
            assert not re.match("[a-z]+ ", detail) and detail[-1] in ".!?", f"not a sentence: {detail}"
        return response

    def send(self, to, key=DEFAULT, http_headers=None, query="", **fields):
        """POST /v1/messages; fields as in the body. Required fields that the test omits have a default."""
        mail = {"from": "Shop <orders@shop.example>", "to": to if isinstance(to, list) else [to],
                "subject": "Your order", "text": "Thank you.\n", **fields}
        return self.request("POST", "/v1/messages" + query, headers=http_headers, json=mail, key=key)

    def deliver(self, to, key=DEFAULT, timeout=20, **fields):
        """Sends, waits for the final state, returns the response of GET."""
        answer = self.send(to, key=key, **fields)
        assert answer.status == 202, answer
        return self.wait_terminal(answer.json()["id"], key=key, timeout=timeout)

    def message(self, id, key=DEFAULT):
        answer = self.request("GET", f"/v1/messages/{id}", key=key)
        assert answer.status == 200, answer
        return answer.json()

    def wait_terminal(self, id, key=DEFAULT, timeout=20):
        return self.wait_message(id, lambda m: all(r["status"] in TERMINAL for r in m["recipients"]), key, timeout)

    def wait_status(self, id, status, key=DEFAULT, timeout=20):
        return self.wait_message(id, lambda m: all(r["status"] == status for r in m["recipients"]), key, timeout)

    def wait_message(self, id, claim, key=DEFAULT, timeout=20):
        seen = {}

        def get():
            seen.update(self.message(id, key))
            return claim(seen)
        try:
            wait_for(get, timeout)
        except AssertionError:
            raise AssertionError(f"after {timeout} s: {seen}") from None
        return seen

    def metric(self, name):
        text = self.internal("/metrics").body.decode()
        found = re.findall(rf"(?m)^{re.escape(name)} (\S+)$", text)
        assert found, f"no metric {name}"
        return float(found[0])

    # -- processes --

    def children(self, role=None):
        """{pid: role} of the supervisor's children, by its log; redis is one of them when it is embedded."""
        alive = set(direct_children(self.process.pid))
        return {line["child_pid"]: line["child"] for line in self.log_lines()
                if line.get("child_pid") in alive and role in (None, line["child"])}

    def stop(self, timeout=60):
        """SIGTERM. Postern must exit with 0, and the sanitizers must report nothing."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise AssertionError(f"still there {timeout} s after SIGTERM\n{self.log()[-4000:]}") from None
        status, self.process = self.process.returncode, None
        log = self.log()
        assert not SANITIZER.search(log), log[SANITIZER.search(log).start():][:4000]
        assert status == 0, f"exit status {status}\n{log[-4000:]}"

    def crash(self):
        """SIGKILL, for tests that have broken the store, which a normal stop would wait for."""
        if self.process:
            self.kill_all()
            self.process = None
        assert not SANITIZER.search(self.log()), self.log()[-4000:]

    def kill_all(self):
        """SIGKILL for every process of this server, as a crash of the host would."""
        with contextlib.suppress(ProcessLookupError):
            everyone = [self.process.pid, *descendants_of(self.process.pid)]
            os.kill(self.process.pid, signal.SIGSTOP)
            for pid in everyone:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


def is_alive(pid):
    """Not for zombies. /proc/PID/stat can be read of any process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def direct_children(pid):
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants_of(pid):
    for child in direct_children(pid):
        yield child
        yield from descendants_of(child)


def private_memory_bytes(pids):
    """Proportional set size (shared pages divided by their users)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            m = re.search(r"(?m)^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text())
            total += int(m.group(1)) * 1024 if m else 0
    return total


def remove(directory):
    shutil.rmtree(directory, ignore_errors=True)

#!/usr/bin/python3
"""Load, kill -9 of random processes, a drain, and then the ledger: nothing lost, nothing unexplained.

Every --every seconds one of {an API process, a relay, the keeper, the hooks process, redis-server} gets SIGKILL; now and
then Redis forgets its scripts as well. Each message has an Idempotency-Key; what is unknown to the client is asked
again with the same key; half of what was refused is left alone, to catch mail that was refused and
sent. Exit status 1 when a figure that must be 0 is not.

With --redis cluster the faults are failovers of a Redis Cluster (three primaries, each with a replica): a primary is
killed, or its replica takes over by hand. --durability replicated then keeps all accepted messages. Results of deliveries
can be lost in a failover: such mail is sent again after its lease has ended, which takes up to 11 minutes (--drain).

--negative spoils the run so that the checker must go red (then the exit status is 1):
    cut-aof       each kill of Redis takes the last 64 KB of its log along, as a disk that lies would
    everysec      appendfsync everysec (a mere kill shows loss only when it meets a delayed write)
    drop-line     one line of the sink's ledger is forgotten
"""
import argparse
import hashlib
import json
import os
import platform
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import harness, ledger  # noqa: E402
from support.cluster import Cluster  # noqa: E402
from support.power import FrailRedis  # noqa: E402
from support.receiver import Receiver  # noqa: E402
from support.words import Words  # noqa: E402

DOMAINS = [f"d{i}.test" for i in range(40)]
PARTITIONS = 16  # in a cluster
TARGETS = ["api", "relay", "keeper", "hooks", "redis"]
VERBS = [("ok", 0.95), ("rcpt550", 0.01), ("dot5xx", 0.005), ("first1fail", 0.015), ("firstdot1fail", 0.01),
         ("firstlost1", 0.005), ("slow_dot_300", 0.005)]
SETTINGS = {"mx_allow_private": True, "retry_first_s": 2, "retry_first_otp_s": 1, "retry_max_s": 5,
            "workers_api": 2, "workers_relay": 2, "drain_s": 20, "webhook_allow_private": True, "webhook_retry_s": 1}


class Journal:
    """An append-only file of JSON lines; also kept in memory for the check."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lines = []
        self.lock = threading.Lock()

    def add(self, **line):
        line = {"mono": round(time.monotonic(), 4), **line}
        with self.lock:
            self.lines.append(line)
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()


class Client:
    """One keep-alive connection of one thread."""

    def __init__(self, port, key):
        self.port, self.key, self.connection = port, key, None

    def __call__(self, method, path, body=None, headers=()):
        if self.connection is None:
            self.connection = HTTPConnection("127.0.0.1", self.port, timeout=25)
        try:
            self.connection.request(method, path, body, {
                "Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **dict(headers)})
            answer = self.connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        except (OSError, HTTPException):
            self.connection.close()
            self.connection = None
            raise


class Mail:
    """One message of the load, from the seed."""

    def __init__(self, number, rng, words):
        self.token = f"t{number:06d}"
        self.stays_refused = rng.random() < 0.5
        self.asks_twice = rng.random() < 0.05
        n = 1 if rng.random() < 0.7 else rng.randint(2, 4)
        rcpts = []
        for i in range(n):
            verb = rng.choices([v for v, _ in VERBS], [w for _, w in VERBS])[0]
            hidden = "hidden." if i and rng.random() < 0.3 else ""
            rcpts.append(f"{verb}-{self.token}-{hidden}{i}@{rng.choice(DOMAINS)}")
        self.rcpts = rcpts
        text = words.text(rng, rng.randint(500, 4000))
        self.text_sha = hashlib.sha256(text.rstrip().encode()).hexdigest()
        self.on_unknown = "fail" if rng.random() < 0.05 else "retry"
        bcc = [r for r in rcpts if "hidden." in r]
        self.body = json.dumps({
            "from": "Shop <orders@shop.example>", "to": [r for r in rcpts if r not in bcc], **({"bcc": bcc} if bcc else {}),
            "subject": f"Order {self.token}", "text": text, "headers": {"X-Token": self.token},
            "lane": rng.choice(["otp", "normal", "normal", "bulk"]), "on_unknown": self.on_unknown}).encode()


class Injector:
    """Sends at a steady rate from threads, and records all it knows of each message."""

    def __init__(self, server, key, journal, rate, seed, threads=24):
        self.server, self.key, self.journal, self.rate, self.seed = server, key, journal, rate, seed
        self.words = Words()
        self.todo = queue.Queue()
        self.ids = {}
        self.give_up_at = float("inf")
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(threads)]
        self.late = 0

    def run(self, seconds):
        for t in self.threads:
            t.start()
        start, number, rng = time.monotonic(), 0, random.Random(self.seed)
        while time.monotonic() < start + seconds:
            due = start + number / self.rate
            time.sleep(max(0, due - time.monotonic()))
            self.todo.put(Mail(number, rng, self.words))
            number += 1
        return number

    def finish(self, timeout):
        self.give_up_at = time.monotonic() + timeout
        for _ in self.threads:
            self.todo.put(None)
        for t in self.threads:
            t.join(timeout + 30)

    def work(self):
        client = Client(self.server.port, self.key)
        for mail in iter(self.todo.get, None):
            self.journal.add(e="invoke", token=mail.token, rcpts=mail.rcpts, text_sha=mail.text_sha,
                             on_unknown=mail.on_unknown)
            while time.monotonic() < self.give_up_at and not self.attempt(client, mail):
                time.sleep(0.2)
            if mail.asks_twice and mail.token in self.ids:
                self.attempt(client, mail)

    def attempt(self, client, mail):
        """True when nothing is left to ask."""
        try:
            status, _, body = client("POST", "/v1/messages", mail.body, {"Idempotency-Key": f"kill-{mail.token}"})
        except ConnectionRefusedError:
            return False
        except (OSError, HTTPException) as e:
            self.journal.add(e="info", token=mail.token, why=repr(e))
            return False
        answer = json.loads(body)
        if status in (200, 202):
            self.journal.add(e="ok", token=mail.token, id=answer["id"], message_id=answer["internet_message_id"])
            self.ids[mail.token] = answer["id"]
            return True
        if status == 503 and answer["type"] == "/problems/not-accepted":
            self.journal.add(e="fail", token=mail.token)
            return mail.stays_refused
        self.journal.add(e="info", token=mail.token, status=status, body=answer)
        return status not in (503,) and not self.complain(status, answer)

    @staticmethod
    def complain(status, answer):
        print(f"unexpected answer {status}: {answer}", file=sys.stderr)


class Nemesis(threading.Thread):
    def __init__(self, server, redis, journal, options):
        super().__init__(daemon=True)
        self.server, self.redis, self.journal, self.options = server, redis, journal, options
        self.rng = random.Random(options.seed + 1)
        self.over = threading.Event()
        self.missed = 0

    def run(self):
        due = time.monotonic() + self.options.every
        while not self.over.wait(max(0, due - time.monotonic())):
            due += self.options.every
            target = self.rng.choice(self.options.targets)
            if target != "redis":
                self.kill_child(target)
            elif self.options.redis == "cluster":
                self.fail_over()
            else:
                self.kill_redis()
            if self.options.redis != "cluster" and self.rng.random() < 0.2:
                self.flush_scripts()

    def stop(self):
        self.over.set()
        self.join(60)

    def kill_child(self, role):
        pids = sorted(self.server.children(role))
        if not pids:
            self.missed += 1
            return
        pid = self.rng.choice(pids)
        os.kill(pid, signal.SIGKILL)
        self.journal.add(target=role, action="kill -9", pid=pid)

    def kill_redis(self):
        if self.redis is None:
            self.kill_child("redis")
            return
        self.redis.kill()
        if self.options.negative == "cut-aof":
            cut_tail(self.redis.directory / "appendonlydir", 64 * 1024)
        self.journal.add(target="redis", action="kill -9", pid=self.redis.process.pid)
        self.redis.start()

    def fail_over(self):
        by_hand = self.rng.random() < 0.25
        node = self.redis.fail_over(self.rng.randrange(PARTITIONS), by_hand)
        self.journal.add(target="primary", action="CLUSTER FAILOVER" if by_hand else "kill -9", pid=node.process.pid)

    def flush_scripts(self):
        try:
            with harness.RedisClient(self.server.redis_socket) as r:
                r("FUNCTION", "FLUSH", "SYNC")
            self.journal.add(target="functions", action="FUNCTION FLUSH")
        except (OSError, harness.RedisError):
            self.missed += 1


def cut_tail(directory, n):
    newest = max(directory.glob("*.incr.aof"), key=lambda p: p.stat().st_mtime)
    os.truncate(newest, max(0, newest.stat().st_size - n))


def drain(server, key, ids, timeout, threads=8):
    """Reads every message until it is final or time is over. {id: the last response of GET}."""
    finals, end = {}, time.monotonic() + timeout
    pending = list(ids)
    while pending:
        todo = iter(pending)
        lock = threading.Lock()

        def work():
            client = Client(server.port, key)
            while True:
                with lock:
                    id = next(todo, None)
                if id is None:
                    return
                try:
                    status, _, body = client("GET", f"/v1/messages/{id}")
                    if status == 200:
                        finals[id] = json.loads(body)
                except (OSError, HTTPException):
                    pass
        crew = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for t in crew:
            t.start()
        for t in crew:
            t.join()
        pending = [id for id in pending if not is_over(finals.get(id))]
        if time.monotonic() > end:
            break
        time.sleep(0.5 if pending else 0)
    return finals


def is_over(message):
    return message and all(r["status"] in ledger.TERMINAL for r in message["recipients"])


def versions(server):
    def first_line(*command):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip().split("\n")[0]
    return {"postern": first_line(harness.binary(), "version"), "redis": first_line("redis-server", "--version"),
            "kernel": platform.release(), "cores": os.cpu_count(),
            "settings": {k: str(v) for k, v in server.settings.items() if k not in ("root_key", "secret")}}


class Told:
    """Compares the final states in webhooks with the final states of the recipients."""

    def __init__(self):
        self.receiver, self.untold, self.false, self.ids = Receiver(), set(), set(), {}

    def hook(self, server, key):
        answer = server.request("POST", "/v1/webhooks", key=key, json={
            "url": self.receiver.url(), "events": [f"message.{state}" for state in sorted(ledger.TERMINAL)]})
        assert answer.status == 201, answer

    def check(self, finals, timeout):
        ends = {(m["id"], r["email"]): r["status"] for m in finals for r in m["recipients"] if r["status"] in ledger.TERMINAL}
        end = time.monotonic() + timeout
        while True:
            told = {}
            for e in self.receiver.events():
                d = e["data"]
                told.setdefault((d["message_id"], d["recipient"]), set()).add(d["status"])
                self.ids.setdefault((d["message_id"], e["sequence"]), set()).add(e["id"])
            self.untold = {k for k, state in ends.items() if state not in told.get(k, ())}
            if not self.untold or time.monotonic() > end:
                break
            time.sleep(0.5)
        self.false = {k for k, states in told.items() if k in ends and states != {ends[k]}}

    @property
    def is_clean(self):
        return not self.untold and not self.false and all(len(ids) == 1 for ids in self.ids.values())

    def text(self):
        n = len(self.receiver.requests())
        return (f"webhooks: {n} requests for {len(self.ids)} ends, untold {len(self.untold)}, false {len(self.false)}, "
                f"events with more than one id {sum(len(ids) > 1 for ids in self.ids.values())}")


class Run:
    def __init__(self, options, directory):
        self.options = options
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.injector_journal = Journal(self.directory / "injector.jsonl")
        self.fault_journal = Journal(self.directory / "faults.jsonl")
        self.redis = self.sink = self.dns = self.server = None
        self.told = Told()
        self.report = None
        self.drain_s = 0

    def start(self):
        o = self.options
        self.sink = harness.Sink(self.directory / "sink", keep=False).start()
        self.dns = harness.start_dns(DOMAINS)
        settings = {**SETTINGS, "smtp_port": self.sink.port, "dns_servers": f"127.0.0.1@{self.dns.port}"}
        if o.redis == "external":
            fsync = {"appendfsync": "everysec"} if o.negative == "everysec" else {}
            kind = FrailRedis if o.power_loss else harness.Redis
            self.redis = kind(self.directory / "redis", **fsync).start()
        if o.redis == "cluster":
            self.redis = Cluster(self.directory / "cluster", lambda node: node, replicas=1,
                                 min_replicas_to_write=int(o.durability == "replicated"))
            settings |= {"partitions": PARTITIONS, "durability": o.durability}
        if o.negative == "everysec":
            settings["durability"] = "relaxed"
        self.server = harness.Postern(self.directory / "postern", settings, self.redis).start().make_keys()
        self.told.hook(self.server, self.server.live_key)

    def run(self):
        o, key = self.options, self.server.live_key
        injector = Injector(self.server, key, self.injector_journal, o.rate, o.seed)
        nemesis = Nemesis(self.server, self.redis, self.fault_journal, o)
        nemesis.start()
        injector.run(o.seconds)
        nemesis.stop()
        last_fault = time.monotonic()
        injector.finish(30)
        finals = drain(self.server, key, list(injector.ids.values()), o.drain)
        self.drain_s = time.monotonic() - last_fault
        self.told.check(list(finals.values()), o.drain)
        rows = self.sink.rows()
        if o.negative == "drop-line":
            rows.remove(next(row for row in rows if row["taken"]))
        Path(self.directory / "finals.json").write_text(json.dumps(list(finals.values())), encoding="utf-8")
        self.report = ledger.check(self.injector_journal.lines, rows, finals.values())

    def stop(self):
        failure = None
        for thing in (self.server, self.redis, self.dns, self.sink, self.told.receiver):
            try:
                if thing:
                    thing.stop()
            except AssertionError as e:
                failure = failure or e
        if failure:
            raise failure

    def kills(self):
        count = {}
        for line in self.fault_journal.lines:
            name = f"{line['action']} {line['target']}" if line["target"] != "scripts" else line["action"]
            count[name] = count.get(name, 0) + 1
        return count

    def text(self):
        o = self.options
        kills = ", ".join(f"{n} x {name}" for name, n in sorted(self.kills().items()))
        return (f"{self.report.markdown()}\n{self.told.text()}\n\nfaults: {kills}\n"
                f"{o.seconds} s at {o.rate}/s, a fault every {o.every} s, drained {self.drain_s:.1f} s after the last; "
                f"seed {o.seed}; redis {o.redis}\n{json.dumps(versions(self.server))}\n")


def run(options, directory):
    """Runs everything; returns the Run with its report. Ledgers stay in directory."""
    r = Run(options, directory)
    try:
        r.start()
        r.run()
    finally:
        r.stop()
    return r


def parse(words=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--rate", type=float, default=200, help="messages a second")
    p.add_argument("--every", type=float, default=2, help="seconds between faults")
    p.add_argument("--drain", type=float, default=60)
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--redis", choices=["external", "embedded", "cluster"], default="external")
    p.add_argument("--durability", choices=["fsync", "replicated"], default="fsync", help="with --redis cluster")
    p.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS, help="who may be killed")
    p.add_argument("--power-loss", action="store_true", help="what Redis has not synced is gone when it is killed")
    p.add_argument("--negative", choices=["cut-aof", "everysec", "drop-line"])
    p.add_argument("--dir", help="where the ledgers go (default: a new folder in build/kill)")
    options = p.parse_args(words)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    return options


def main():
    options = parse()
    parent = harness.ROOT / "build" / "kill"
    parent.mkdir(parents=True, exist_ok=True)
    directory = options.dir or tempfile.mkdtemp(prefix=f"{options.seed}-", dir=parent)
    r = run(options, directory)
    print(r.text())
    print(f"ledgers: {directory}")
    return 0 if r.report.is_clean and r.told.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())

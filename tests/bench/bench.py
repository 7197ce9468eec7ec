#!/usr/bin/python3
"""The goals table: accept, delivery, latency, memory, bytes in Redis; medians of three runs.

Everything that is built is on: validation, idempotency, events, journal, fence. The mail is an order confirmation of
4 KB on the wire, text and HTML, words and figures from a seed, about 1.8 KB when compressed; each has
an Idempotency-Key of its own. Redis runs with fsync always; the load generator and the sink share the machine. Writes
build/bench/bench.md and bench.json.
"""
import argparse
import contextlib
import ctypes
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import harness, postfix  # noqa: E402
from support.dns_server import DnsServer  # noqa: E402
from support.words import Words  # noqa: E402

HERE = Path(__file__).resolve().parent
OUT = harness.ROOT / "build" / "bench"
MESSAGE_BYTES = 4096
HEAD_BYTES = 650  # about what the head and the parts of such a mail take
DOMAINS = 100
LOAD_BEFORE = os.getloadavg()[0]
DELIVERED = 'postern_recipients_total{state="delivered"}'
SETTINGS = {"log_level": "warn", "workers_api": 0, "workers_relay": 0, "site_connections": 40,
            "http_connections": 4000, "http_connections_per_address": 4000}


# ---- the mail ----

CELL = '<td style="padding:8px;font-family:Arial">'
PAGE = """<!doctype html>
<html><body><table width="600" align="center"><tr><td style="padding:24px;font-family:Arial">
<h1>{subject}</h1>
{paragraphs}
<table width="100%">
{rows}
</table>
<p><b>Total {total}</b></p>
</td></tr></table></body></html>
"""


def order_mail(rng, words):
    """(subject, text, html) that make a mail of MESSAGE_BYTES."""
    subject = "Order " + " ".join(rng.sample(words.words, 3))
    items = [(" ".join(rng.sample(words.words, 3)), rng.randint(1, 9), rng.randint(100, 9999)) for _ in range(3)]
    total = f"{sum(n * price for _, n, price in items) / 100:.2f}"
    rows = "\n".join(f"<tr>{CELL}{name}</td>{CELL}{n}</td>{CELL}{price / 100:.2f}</td></tr>" for name, n, price in items)
    lines = "\n".join(f"{n:3} x {name:40} {price / 100:8.2f}" for name, n, price in items)
    room = MESSAGE_BYTES - HEAD_BYTES - len(PAGE) - len(rows) - len(lines)
    paragraphs = "\n".join(f"<p>{p}</p>" for p in words.text(rng, room * 55 // 100).rstrip().split("\n\n"))
    return (subject, f"{words.text(rng, room * 45 // 100)}\n{lines}\n\nTotal {total}\n",
            PAGE.format(subject=subject, paragraphs=paragraphs, rows=rows, total=total))


def write_pool(path, n=400):
    rng, words = random.Random(4), Words()
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            subject, text, html = order_mail(rng, words)
            f.write(json.dumps({
                "from": "Shop <orders@shop.example>", "to": [f"customer@TO@@d{i % DOMAINS}.example"],
                "subject": subject, "text": text, "html": html, "headers": {"X-Sent": "@SENT@"},
                "tags": ["order"], "metadata": {"order_id": str(rng.randrange(10**6))}}) + "\n")
    return path


class Wrk:
    """Runs wrk on a server; each run uses keys of its own."""

    def __init__(self, pool):
        self.pool = pool
        self.runs = 0

    def __call__(self, server, seconds, connections=64, per_second=None):
        self.runs += 1
        threads = 2 if connections > 1 else 1
        command = ["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "20s",
                   "-s", str(HERE / "load.lua"), server.url + "/v1/messages", "--", server.live_key, str(self.pool),
                   f"b{os.getpid()}-{self.runs}"]
        if per_second:
            command.append(str(1000 * threads / per_second))
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        result = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))[7:])
        assert not result["refused"] and not result["errors"], result
        return result


# ---- the pieces of a run ----

class Place:
    """A temporary folder with a Redis and servers on it, all stopped at the end."""

    def __init__(self, **settings):
        self.settings = {**SETTINGS, **settings}

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/tmp")
        self.path = Path(self.folder.name)
        self.path.chmod(0o755)
        self.redis = harness.Redis(self.path / "redis").start()
        self.stack = contextlib.ExitStack()
        return self

    def server(self, name="postern", **settings):
        s = harness.Postern(self.path / name, {**self.settings, **settings}, self.redis)
        s.start()
        self.stack.callback(self.stop_if_running, s)
        if not s.live_key:
            s.live_key = s.create_key(name)
        return s

    @staticmethod
    def stop_if_running(server):
        if server.process:
            server.stop(120)

    def content_bytes(self):
        """One mail as it is stored, on average of some."""
        with harness.RedisClient(self.redis.socket) as r:
            keys = [key for key in r("SCAN", "0", "MATCH", "pn:{p0}:c:*", "COUNT", "5000")[1]]
            return statistics.mean(r("STRLEN", key) for key in keys)

    def __exit__(self, *_):
        self.stack.close()
        self.redis.stop()
        self.folder.cleanup()

    def warm_up(self, server):
        """The first mail waits until the relays first ask for work."""
        server.deliver("first@d0.example", key=server.live_key)

    def memory_bytes(self):
        """Without the temporary memory of clients and of the log's buffer."""
        time.sleep(1.5)
        info = self.redis.info()
        return int(info["used_memory"]) - int(info["mem_clients_normal"]) - int(info["mem_aof_buffer"])


def wait_delivered(server, n, timeout=600):
    """Seconds from the first delivery that is seen to the last."""
    first = None
    end = time.monotonic() + timeout
    while True:
        count, now = server.metric(DELIVERED), time.monotonic()
        if first is None and count:
            first = (now, count)
        if count >= n:
            return first[1], now - first[0]
        assert now < end, f"{count:.0f} of {n:.0f} delivered"
        time.sleep(0.05)


# ---- figures ----

def wait_rewritten(redis):
    harness.wait_for(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == "0", 60, what="the log is rewritten")


def backlog(wrk, seconds, sink_port):
    """Accept alone, then the delivery of what has queued up; bytes in Redis after each."""
    with Place(relay_url=f"smtp://127.0.0.1:{sink_port}") as place:
        api = place.server("api", roles="api,keeper")
        empty = place.memory_bytes()
        wrk(api, 1)
        r = wrk(api, seconds)
        rewrites = int(place.redis.info("persistence")["aof_rewrites"])
        place.redis("BGREWRITEAOF")
        rewritten = wrk(api, 2)
        wait_rewritten(place.redis)
        n = api.metric("postern_messages_accepted_total")
        queued = place.memory_bytes()
        content = place.content_bytes()
        api.stop()
        house = place.server("house")
        counted, took = wait_delivered(house, n)
        finished = place.memory_bytes()
        return {"accept/s": r["requests"] / r["seconds"], "accept p50 ms": r["p50_ms"], "accept p99 ms": r["p99_ms"],
                "rewrites of the log": rewrites, "rewritten p99 ms": rewritten["p99_ms"], "rewritten max ms": rewritten["max_ms"],
                "Redis bytes per queued message": (queued - empty) / n,
                "Redis bytes per finished message": (finished - empty) / n,
                "content bytes in Redis": content, "backlog delivered/s": (n - counted) / took, "backlog messages": n}


class Hook:
    """The receiver of hook.c, and the endpoint that leads to it."""

    def __enter__(self):
        OUT.mkdir(parents=True, exist_ok=True)
        program = OUT / "hook"
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, HERE / "hook.c"], check=True)
        self.process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/"
        return self

    def endpoint(self, server):
        key = server.create_key("hooks", scopes="manage")
        answer = server.request("POST", "/v1/webhooks", json={"url": self.url, "events": ["message.delivered"]}, key=key)
        assert answer.status == 201, answer

    def result(self):
        self.process.terminate()
        return json.loads(self.process.stdout.read())

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def webhooks_at(wrk, seconds, sink_port, per_second=1000):
    """From the commit of the state to the first attempt, paced."""
    with Place(relay_url=f"smtp://127.0.0.1:{sink_port}", webhook_allow_private=True) as place, Hook() as hook:
        server = place.server()
        place.warm_up(server)
        hook.endpoint(server)
        time.sleep(1)
        r = wrk(server, seconds, connections=32, per_second=per_second)
        wait_delivered(server, server.metric("postern_messages_accepted_total"))
        time.sleep(3)
        told = hook.result()
        assert told["requests"] >= r["requests"], (told, r)
        return {"rate": r["requests"] / r["seconds"], "p50 ms": told["p50 ms"], "p99 ms": told["p99 ms"]}


def end_to_end(wrk, seconds, sink_port, has_hook=False, **settings):
    """Accepts as fast as it can and delivers meanwhile: messages by the time from first to last."""
    with Place(relay_url=f"smtp://127.0.0.1:{sink_port}", webhook_allow_private=True, **settings) as place, Hook() as hook:
        server = place.server()
        if has_hook:
            hook.endpoint(server)
        place.warm_up(server)
        started = time.monotonic()
        r = wrk(server, seconds)
        n = server.metric("postern_messages_accepted_total")
        wait_delivered(server, n)
        took = time.monotonic() - started
        return {"delivered/s": (n - 1) / took, "accepted/s meanwhile": r["requests"] / r["seconds"], "messages": n,
                "accept p99 ms meanwhile": r["p99_ms"]}


def hook_or_not(wrk, seconds, sink_port):
    """The same load without and with a webhook, one directly after the other: what the webhook takes."""
    without = end_to_end(wrk, seconds, sink_port)
    told = end_to_end(wrk, seconds, sink_port, has_hook=True)
    return {"delivered/s": told["delivered/s"], "accepted/s meanwhile": told["accepted/s meanwhile"],
            "delivered, times without": told["delivered/s"] / without["delivered/s"],
            "accepted, times without": told["accepted/s meanwhile"] / without["accepted/s meanwhile"]}


def paced(wrk, seconds, per_second=500):
    """From the request's first byte to the end of the mail at the sink."""
    with Place() as place:
        sink = harness.Sink(place.path / "sink", "--fast", keep=False).start()
        try:
            server = place.server(relay_url=f"smtp://127.0.0.1:{sink.port}")
            place.warm_up(server)
            r = wrk(server, seconds, connections=32, per_second=per_second)
            wait_delivered(server, server.metric("postern_messages_accepted_total"))
            rows = [row for row in sink.taken() if row["x_sent"]]
        finally:
            sink.stop()
    times = sorted(1000 * row["t"] - float(row["x_sent"]) / 1000 for row in rows)
    assert len(times) >= r["requests"], (len(times), r)
    return {"rate": r["requests"] / r["seconds"], "p50 ms": percentile(times, 50), "p99 ms": percentile(times, 99),
            "accept p50 ms": r["p50_ms"], "accept p99 ms": r["p99_ms"]}


def percentile(ordered, p):
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


def memory():
    """PSS of all our processes without Redis: idle, then with 1,000 HTTP and 100 SMTP connections."""
    with Place() as place:
        sink = harness.Sink(place.path / "sink", "--fast", keep=False).start()
        hosts = [f"d{i}.example" for i in range(100)]    # each a site, so that 100 connections are had at once
        dns = DnsServer({h: {"MX": [f"10 mx.{h}."]} for h in hosts} | {f"mx.{h}": {"A": ["127.0.0.1"]} for h in hosts}).start()
        try:
            server = place.server(smtp_port=sink.port, dns_servers=f"127.0.0.1@{dns.port}", mx_allow_private=True)
            time.sleep(3)
            idle = our_memory(server)
            clients = [keep_alive(server) for _ in range(1000)]
            for i, host in enumerate(hosts):
                server.send(f"slow_dot_8000-{i}@{host}", key=server.live_key, text="x" * MESSAGE_BYTES)
            open_now = harness.wait_for(lambda: (n := server.metric("postern_smtp_connections")) >= 100 and n, 7.5)
            busy = our_memory(server)
            for c in clients:
                c.close()
        finally:
            sink.stop()
            dns.stop()
    return {"PSS idle MB": idle / 1e6, "PSS busy MB": busy / 1e6, "SMTP connections": open_now}


def our_memory(server):
    pids = [server.process.pid, *harness.descendants_of(server.process.pid)]
    return harness.private_memory_bytes(pids)


def keep_alive(server):
    s = socket.create_connection(("127.0.0.1", server.port))
    s.sendall(f"GET /healthz HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
    assert s.recv(4096).startswith(b"HTTP/1.1 200")
    return s


def dkim(directory, kind):
    path = str(Path(directory) / f"{kind}.pem")
    how = ["ed25519"] if kind == "ed25519" else ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    subprocess.run(["openssl", "genpkey", "-algorithm", *how, "-out", path], check=True, capture_output=True)
    return {"dkim_key": path, "dkim_domain": "shop.example", "dkim_selector": "s1"}


def postfix_relay(messages, sink_port):
    """The same size of mail through Postfix as a relay, fsync on, to the same sink."""
    relay = postfix.Postfix(relay_to=sink_port).start()
    try:
        started = time.monotonic()
        subprocess.run([postfix.SMTP_SOURCE, "-s", "20", "-m", str(messages), "-l", str(MESSAGE_BYTES),
                        "-f", "orders@shop.example", "-t", "customer@d1.example", f"127.0.0.1:{relay.port}"], check=True)
        taken = time.monotonic() - started
        harness.wait_for(lambda: relay.log().count("status=sent") >= messages, 600, 0.1, "Postfix delivers")
        took = time.monotonic() - started
    finally:
        relay.stop()
    return {"accept/s": messages / taken, "delivered/s": messages / took}


def speed(pool):
    """How fast this machine is just now, against the one on which the goals were set: there Jansson took 42.5 µs for
    4.6 KB."""
    jansson = ctypes.CDLL("libjansson.so.4")
    jansson.json_loadb.restype = ctypes.c_void_p
    jansson.json_loadb.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    jansson.json_delete.argtypes = [ctypes.c_void_p]
    bodies = [line.encode() for line in pool.read_text(encoding="utf-8").splitlines()]
    started = time.process_time()
    for body in bodies * 10:
        jansson.json_delete(jansson.json_loadb(body, len(body), 0, None))
    took_us = 1e6 * (time.process_time() - started)
    return {"Jansson, µs a KB": took_us / (10 * sum(map(len, bodies)) / 1000),
            "slower than where the goals were set, times": took_us / (10 * sum(map(len, bodies)) / 1000) / (42.5 / 4.6)}


# ---- the whole ----

def median_of(runs):
    return {name: statistics.median(r[name] for r in runs) for name in runs[0]}


def repeat(name, times, figure, *args, **kwargs):
    runs = []
    for i in range(times):
        runs.append(figure(*args, **kwargs))
        print(f"{name} {i + 1}/{times}: " + ", ".join(f"{k} {v:,.2f}" for k, v in runs[-1].items()), file=sys.stderr)
    return {"median": median_of(runs), "runs": runs}


def measure(options):
    o, figures = options, {}
    with tempfile.TemporaryDirectory() as directory:
        pool = write_pool(Path(directory) / "pool.jsonl")
        wrk = Wrk(pool)
        figures["speed"] = repeat("speed", 3, speed, pool)
        sink = postfix.SmtpSink().start()
        try:
            if "accept" in o.only:
                figures["backlog"] = repeat("backlog", o.runs, backlog, wrk, o.seconds, sink.port)
            if "deliver" in o.only:
                for name, extra in (("no DKIM", {}), ("Ed25519", dkim(directory, "ed25519")),
                                    ("RSA-2048", dkim(directory, "rsa"))):
                    figures[name] = repeat(name, o.runs, end_to_end, wrk, o.seconds, sink.port, **extra)
            if "webhooks" in o.only:
                figures["webhook"] = repeat("one webhook", o.runs, hook_or_not, wrk, o.seconds, sink.port)
                figures["webhook 1,000/s"] = repeat("webhook 1,000/s", o.runs, webhooks_at, wrk, o.seconds, sink.port)
            if "latency" in o.only:
                figures["paced"] = repeat("paced", o.runs, paced, wrk, o.seconds)
            if "memory" in o.only:
                figures["memory"] = repeat("memory", o.runs, memory)
            if "postfix" in o.only and postfix.POSTFIX and os.geteuid() == 0:
                figures["postfix"] = repeat("postfix", o.runs, postfix_relay, 1500 if o.quick else 4000, sink.port)
        finally:
            sink.stop()
    return figures


GOALS = [
    ("accept/s, 64 connections", "backlog", "accept/s", 8000, "least"),
    ("accept p99, ms", "backlog", "accept p99 ms", 12, "most"),
    ("rewrites of Redis's log in that time", "backlog", "rewrites of the log", None, None),
    ("accept p99 while Redis rewrites its log, ms", "backlog", "rewritten p99 ms", None, None),
    ("the longest then, ms", "backlog", "rewritten max ms", None, None),
    ("delivered/s end to end, no DKIM", "no DKIM", "delivered/s", 3000, "least"),
    ("delivered/s end to end, Ed25519", "Ed25519", "delivered/s", None, None),
    ("delivered/s end to end, RSA-2048", "RSA-2048", "delivered/s", None, None),
    ("delivered/s end to end, one webhook, no DKIM", "webhook", "delivered/s", None, None),
    ("accepted/s meanwhile", "webhook", "accepted/s meanwhile", None, None),
    ("delivered/s with one webhook, times without", "webhook", "delivered, times without", 0.9, "least"),
    ("accepted/s with one webhook, times without", "webhook", "accepted, times without", 0.9, "least"),
    ("state commit to webhook at 1,000/s, p50, ms", "webhook 1,000/s", "p50 ms", None, None),
    ("state commit to webhook at 1,000/s, p99, ms", "webhook 1,000/s", "p99 ms", 1000, "most"),
    ("delivered/s from a backlog, no DKIM", "backlog", "backlog delivered/s", None, None),
    ("accept to sink at 500/s, p50, ms", "paced", "p50 ms", 5, "most"),
    ("accept to sink at 500/s, p99, ms", "paced", "p99 ms", 20, "most"),
    ("PSS without Redis, idle, MB", "memory", "PSS idle MB", 40, "most"),
    ("PSS without Redis, 1,000 HTTP + 100 SMTP, MB", "memory", "PSS busy MB", 80, "most"),
    ("Redis bytes per queued 4 KB message", "backlog", "Redis bytes per queued message", 3000, "most"),
    ("of these the mail itself, compressed", "backlog", "content bytes in Redis", None, None),
    ("Redis bytes per finished message", "backlog", "Redis bytes per finished message", 1500, "most"),
    ("Postfix as relay, delivered/s (to compare)", "postfix", "delivered/s", None, None),
    ("this machine, times slower than the one where the goals were set (Jansson)", "speed",
     "slower than where the goals were set, times", None, None),
]


def row(label, figures, part, name, goal, side):
    if part not in figures:
        return None
    value = figures[part]["median"][name]
    runs = ", ".join(shown(r[name]) for r in figures[part]["runs"])
    if goal is None:
        return f"| {label} | {shown(value)} | | | {runs} |"
    met = value >= goal if side == "least" else value <= goal
    sign = "≥" if side == "least" else "≤"
    return f"| {label} | {shown(value)} | {sign} {goal:,} | {'yes' if met else 'no'} | {runs} |"


def shown(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 2 else f"{value:,.2f}"


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip().split("\n")[0]


def machine():
    return {"postern": first_line(harness.binary(), "version"), "redis": first_line("redis-server", "--version"),
            "kernel": platform.release(), "cores": os.cpu_count(), "load before": LOAD_BEFORE,
            "settings": {k: v for k, v in SETTINGS.items()}, "redis settings": harness.DURABLE}


def markdown(figures, options):
    rows = [row(label, figures, part, name, goal, side) for label, part, name, goal, side in GOALS]
    lines = ["| figure, 4 KB, fsync always | median | first goal | met | runs |", "|---|---:|---:|---|---|"]
    lines += [r for r in rows if r]
    if "postfix" in figures and "no DKIM" in figures:
        ratio = figures["no DKIM"]["median"]["delivered/s"] / figures["postfix"]["median"]["delivered/s"]
        lines.append(f"| delivered/s, times Postfix | {ratio:.1f} | | | |")
    lines += ["", f"{options.runs} runs of {options.seconds} s; {json.dumps(machine())}"]
    return "\n".join(lines) + "\n"


PARTS = ["accept", "deliver", "webhooks", "latency", "memory", "postfix"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="one short run of each")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = p.parse_args()
    if options.quick:
        options.runs, options.seconds = 1, 4
    figures = measure(options)
    OUT.mkdir(parents=True, exist_ok=True)
    text = markdown(figures, options)
    (OUT / "bench.md").write_text(text, encoding="utf-8")
    (OUT / "bench.json").write_text(json.dumps({"machine": machine(), "figures": figures}, indent=1), encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

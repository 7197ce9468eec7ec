#!/usr/bin/python3
"""Throws hostile heads, bodies and SMTP replies at the ASan build, by the million, and watches its memory.

    flood.py --items 10000000 [--seconds 3600] [--seed 1]

An item is a request that got a response, a connection that the server closed without one, or a reply of the hostile mail server.
It stops after so many items or seconds, whichever comes first. Each minute it prints the counts and the memory:
that of each process, in the order of their pids, and that of Redis. At the end the server must be ready, with no child that died, and
stop without a report of the sanitizers."""
import argparse
import asyncio
import collections
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import harness  # noqa: E402
from support.memory import Memory  # noqa: E402

MAIL_HOSTS = 40
REQUESTS = 25           # of a connection with good heads

# ---- octets ----

ODD = [b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b",", b";", b'"', b"\\", b"{", b"}", b"[", b"]", b"\xff", b"\xc0\xaf",
       b"\xed\xa0\x80", b"\\u0000", b"\\ud800", b"%00", b"%s%n", b"0" * 40, b"9" * 40, b"-1", b"1e999", b"[" * 300, b'{"a":' * 300,
       b"A" * 3000, b"null", b"true", b"../", b"<", b">", b"@", b"\x1b[31m", b"\x7f", b"\xe2\x80\xae", b"x" * 70_000]


def mutate(r, data):
    """One to four changes: an odd piece put in or over, octets dropped, doubled or changed."""
    data = bytearray(data)
    for _ in range(r.randint(1, 4)):
        at, way = r.randrange(len(data) + 1), r.random()
        if way < 0.4:
            data[at:at] = r.choice(ODD)
        elif way < 0.55:
            piece = r.choice(ODD)
            data[at:at + len(piece)] = piece
        elif way < 0.7:
            del data[at:at + r.randint(1, 40)]
        elif way < 0.85:
            data[at:at] = data[max(0, at - r.randint(1, 60)):at]
        elif data:
            data[at % len(data)] = r.randrange(256)
    return bytes(data)


# ---- requests ----

BODIES = [json.dumps(b).encode() for b in (
    {"from": "Shop <orders@shop.example>", "to": ["Ada <ada@a.example>", {"email": "b@b.example", "name": "B"}], "cc": ["c@c.example"],
     "subject": "Hi", "text": "t", "html": "<p>h</p>", "headers": {"X-Shop": "1", "References": "<a@b.example>"}, "tags": ["t"],
     "metadata": {"k": "v"}, "lane": "otp", "deliver_within": "1h", "on_unknown": "fail", "reply_to": ["e@e.example"],
     "attachments": [{"filename": "a.txt", "content": "aGk=", "content_type": "text/plain", "content_id": "c1", "disposition": "inline"}]},
    {"from": "o@shop.example", "to": "a@a.example", "text": "\u00e4\u20ac\U0001F600 \\ \" \n" * 5},
    {"from": "o@shop.example", "to": [f"r{i}@a.example" for i in range(50)], "text": "x" * 500},
    {"email": "ada@a.example", "reason": "x"}, {"url": "https://a.example/h", "events": ["message.*"], "description": "d"},
    {"name": "n", "scopes": ["send"]}, [], {}, [[[[]]]], {"x": [{}] * 2000})]
TARGETS = [b"POST /v1/messages", b"POST /v1/suppressions", b"POST /v1/webhooks", b"POST /v1/keys", b"PATCH /v1/webhooks/whk_x",
           b"POST /v1/messages/msg_00000000000000000000000000/retry", b"POST /v1/projects"]
READS = [b"GET /v1/messages?limit=2&to=ada@a.example", b"GET /v1/events?limit=2&cursor=x", b"GET /v1/test/inbox?to=ada@a.example&limit=1",
         b"GET /v1/messages/msg_00000000000000000000000000", b"GET /v1/suppressions/foo%2Fbar@a.example", b"GET /readyz", b"GET /openapi.json",
         b"GET /v1/webhooks/whk_x/deliveries", b"OPTIONS /v1/messages", b"HEAD /healthz", b"DELETE /v1/keys/key_x"]


class Requests:
    def __init__(self, seed, key):
        self.r, self.key = random.Random(seed), key.encode()

    def head(self, line, length=None, more=b""):
        framing = b"" if length is None else b"Content-Type: application/json\r\nContent-Length: %d\r\n" % length
        return line + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.key + b"\r\n" + framing + more + b"\r\n"

    def with_hostile_body(self):
        body = self.r.choice(BODIES)
        body = mutate(self.r, body) if self.r.random() < 0.97 else body
        target = self.r.choice(TARGETS) if self.r.random() < 0.3 else TARGETS[0]
        return self.head(target, len(body), b"Idempotency-Key: %x\r\n" % self.r.getrandbits(8) if self.r.random() < 0.1 else b"") + body

    def in_chunks(self):
        body = self.r.choice(BODIES)
        cut = self.r.randrange(len(body) + 1)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[:cut], body[cut:]) if c) + b"0\r\n\r\n"
        head = self.head(TARGETS[0], None, b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n")
        return head + (mutate(self.r, chunks) if self.r.random() < 0.8 else chunks)

    def with_hostile_head(self):
        head = self.head(self.r.choice(READS + TARGETS), self.r.choice([None, 0, 5]))
        return mutate(self.r, head)

    def connection(self):
        """(what to send, whether the client waits for the responses)"""
        way = self.r.random()
        if way < 0.5:
            return b"".join(self.with_hostile_body() for _ in range(REQUESTS)), True
        if way < 0.6:
            return b"".join(self.head(self.r.choice(READS)) for _ in range(REQUESTS)), True
        if way < 0.75:
            return self.in_chunks(), True
        if way < 0.95:
            return self.with_hostile_head(), True
        data = self.with_hostile_body() + self.with_hostile_head()
        return data[:self.r.randrange(len(data))], self.r.random() < 0.5


class Clients:
    def __init__(self, port, requests, counts):
        self.port, self.requests, self.counts = port, requests, counts

    async def run(self, is_over):
        while not is_over():
            data, waits = self.requests.connection()
            try:
                await asyncio.wait_for(self.connection(data, waits), 30)
            except (OSError, asyncio.TimeoutError) as e:
                self.counts[type(e).__name__] += 1

    async def connection(self, data, waits):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        self.counts["connections"] += 1
        try:
            n = await self.exchange(reader, writer, data, waits)
            self.counts["responses"] += n
            self.counts["closed"] += n == 0
        finally:
            writer.transport.abort()

    async def exchange(self, reader, writer, data, waits):
        writer.write(data)
        n, last = 0, b""
        while waits:
            # Nothing more for a while: the request was cut, and the server waits for the rest of it.
            try:
                piece = await asyncio.wait_for(reader.read(1 << 16), 2)
            except asyncio.TimeoutError:
                return n
            except OSError:
                return n
            if not piece:
                return n
            n += (last + piece).count(b"HTTP/1.1 ") - last.count(b"HTTP/1.1 ")
            for status in (b" 202 ", b" 500 "):
                self.counts["status" + status.decode().rstrip()] += piece.count(b"HTTP/1.1" + status)
            last = piece[-8:]
            if n >= REQUESTS:
                return n
        return n


# ---- the hostile mail server ----

REPLIES = [b"220 x ESMTP\r\n", b"250 ok\r\n", b"250-x\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n", b"250-x\r\n250 STARTTLS\r\n", b"354 go\r\n",
           b"421 4.3.2 bye\r\n", b"450 4.2.0 later, try again in 5 minutes\r\n", b"550 5.1.1 no <a@b>\r\n", b"250 2.0.0 \xff\xfe\0 taken\r\n",
           b"250-" + b"y" * 5000 + b"\r\n250 z\r\n", b"250-a\r\n" * 3000, b"HTTP/1.1 400 Bad\r\n\r\n", b"\r\n", b"250\r\n", b"999 what\r\n", b"25",
           b"334 VXNlcm5hbWU6\r\n", b"220 go ahead\r\n\x16\x03\x01\x02\0\x01\0", b"220 x\r\n250 x\r\n250 x\r\n354 x\r\n250 x\r\n", b"x" * 100_000]


class MailServer:
    def __init__(self, seed, counts):
        self.r, self.counts = random.Random(seed), counts

    async def serve(self, reader, writer):
        self.counts["smtp connections"] += 1
        try:
            await asyncio.wait_for(self.talk(reader, writer), 20)
        except (OSError, asyncio.TimeoutError, ValueError):
            pass
        finally:
            writer.transport.abort()

    async def talk(self, reader, writer):
        """Honest at first, for a random number of replies, so that each step of the session meets what is hostile."""
        honest = [b"220 x ESMTP\r\n", b"250-x\r\n250-PIPELINING\r\n250 8BITMIME\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n"]
        n = self.r.choice([0, 0, 1, 2, 3, 4, 5, 6])
        for step in range(40):
            if step:
                data = await reader.read(1 << 16)
                if not data:
                    return
            if step < n:
                reply = honest[step % len(honest)]
            else:
                reply = self.r.choice(REPLIES)
                reply = mutate(self.r, reply) if self.r.random() < 0.6 else reply
            self.counts["replies"] += 1
            writer.write(reply)
            if self.r.random() < 0.03:
                return


class Sender:
    """Supplies the relays with mail for the hostile server: per_s mails a second."""

    def __init__(self, port, key, seed, counts, per_s):
        self.port, self.key, self.r, self.counts, self.per_s = port, key, random.Random(seed), counts, per_s

    async def run(self, is_over):
        while not is_over():
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                while not is_over():
                    await asyncio.wait_for(self.send(reader, writer), 30)
                    await asyncio.sleep(1 / self.per_s)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                await asyncio.sleep(1)
            finally:
                writer.transport.abort()

    async def send(self, reader, writer):
        domain = f"d{self.r.getrandbits(20):x}.h{self.r.randrange(MAIL_HOSTS)}.test"
        body = json.dumps({"from": "o@shop.example", "to": [f"{c}@{domain}" for c in "abc"[:self.r.randint(1, 3)]], "text": "x\n" * 20,
                           "lane": self.r.choice(["otp", "normal"]), "deliver_within": "60s"}).encode()
        writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.key.encode() +
                     b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
        self.counts["mails" if head.startswith(b"HTTP/1.1 202") else "mails refused"] += 1


# ---- all together ----

class Flood:
    def __init__(self, options, directory):
        self.options, self.counts = options, collections.Counter()
        self.dns = harness.start_dns([])
        self.dns.zone.update({f"*.h{i}.test": {"A": [f"127.0.9.{i + 1}"]} for i in range(MAIL_HOSTS)})
        self.smtp_port = harness.free_port("127.0.9.1")
        settings = {"mx_allow_private": True, "smtp_port": self.smtp_port, "dns_servers": f"127.0.0.1@{self.dns.port}",
                    "log_level": "warn", "retry_first_otp_s": "5s", "retry_first_s": "5s", "retry_max_s": "20s",
                    "idempotency_s": "60s", "retention_s": "60s"}
        self.server = harness.Postern(directory, settings).start(60).make_keys()
        self.children = harness.direct_children(self.server.process.pid)
        self.memory = Memory(self.server)
        self.began = time.monotonic()

    def items(self):
        return self.counts["responses"] + self.counts["closed"] + self.counts["replies"]

    def is_over(self):
        return self.items() >= self.options.items or time.monotonic() - self.began > self.options.seconds

    def show(self):
        row = {"s": int(time.monotonic() - self.began), "items": self.items(),
               "rss_mb": [n >> 20 for n in self.memory.processes()], "redis_mb": self.memory.redis() >> 20, **self.counts}
        print(json.dumps(row), flush=True)

    async def watch(self):
        while not self.is_over():
            self.show()
            for _ in range(60):
                if not self.is_over():
                    await asyncio.sleep(1)

    async def run(self):
        o = self.options
        mail = MailServer(o.seed, self.counts)
        servers = [await asyncio.start_server(mail.serve, f"127.0.9.{i + 1}", self.smtp_port, limit=1 << 20) for i in range(MAIL_HOSTS)]
        clients = [Clients(self.server.port, Requests(o.seed + i, self.server.test_key), self.counts).run(self.is_over)
                   for i in range(o.clients)]
        sender = Sender(self.server.port, self.server.live_key, o.seed, self.counts, o.mails_per_s)
        await asyncio.gather(self.watch(), sender.run(self.is_over), *clients)
        for s in servers:
            s.close()

    def end(self):
        self.show()
        self.server.wait_ready(60)
        assert harness.direct_children(self.server.process.pid) == self.children, "a process has died"
        self.server.stop()
        self.dns.stop()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--items", type=int, default=10_000_000)
    p.add_argument("--seconds", type=float, default=1e9)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--clients", type=int, default=24)
    p.add_argument("--mails-per-s", type=float, default=20)
    options = p.parse_args()
    os.nice(19)
    os.environ.setdefault("POSTERN_BINARY", harness.readable_binary())
    # The quarantine of ASan would hide the level of the memory.
    os.environ.setdefault("ASAN_OPTIONS", "exitcode=99:abort_on_error=0:detect_leaks=1:quarantine_size_mb=8")
    with tempfile.TemporaryDirectory() as directory:
        flood = Flood(options, directory)
        asyncio.run(flood.run())
        flood.end()
    print("flood: no crash, no report of the sanitizers")


if __name__ == "__main__":
    main()

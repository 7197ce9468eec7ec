#!/usr/bin/python3
"""An SMTP server that behaves as the recipient's local part says, and records all accepted mail.

The ledger is the truth about what was delivered: one JSON line a recipient, written before the
reply leaves. Verbs at the start of the local part (they end at the next "-"; more may follow):

    ok-            250 to everything
    rcpt450- rcpt550- rcpt452-    that code to RCPT
    dot4xx- dot451- dot5xx- dot554-    that code to the dot
    first3fail-    RCPT gets 451 for the first three tries of this recipient
    firstdot1fail- the dot gets 451 for the first try
    firstlost1-    the first try is taken, but the reply to the dot is never written
    close_rcpt- close_data- close_body- close_afterdot- close_after250-    close there
    421_mail- 421_rcpt- 421_dot-    that reply, then close
    slow_rcpt_500- slow_dot_500-    answer after so many ms
    multiline5-    the reply to the dot has five lines
    bad1-          the reply to the dot is an endless line without a code
    hostile-       RCPT gets 550 and a text made to harm a log

Run as a process of its own: nothing that is killed in a test may take the ledger with it.
"""
import argparse
import asyncio
import email
import email.policy
import hashlib
import json
import os
import re
import sys
import time

BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
HOSTILE = b'550 5.7.1 \x1b[31m%n%s\x00\r\xff\xfe","fake":"1"} \r\n'
VERB = re.compile(r"(first(?:dot|lost)?|multiline|slow_rcpt_|slow_dot_|bad)(\d+)(?:fail)?$")


def verbs_of(address):
    """"first2fail-dot5xx-x9@d" -> {"first": 2, "dot": "5xx"}."""
    verbs = {}
    for word in address.rpartition("@")[0].split("-")[:-1]:
        m = VERB.match(word)
        if m:
            verbs[m.group(1).rstrip("_")] = int(m.group(2))
        elif word.startswith(("close_", "421_")):
            name, _, stage = word.partition("_")
            verbs[name] = stage
        elif re.match(r"(rcpt|dot)[45]", word):
            verbs[word.rstrip("x0123456789")] = word[-3:].replace("4xx", "451").replace("5xx", "554")
        elif word == "hostile":
            verbs[word] = True
        elif word != "ok":
            break
    return verbs


def text_sha(data):
    """SHA-256 of the first text part, decoded, with LF line ends and without trailing space."""
    mail = email.message_from_bytes(data, policy=email.policy.default)
    part = mail.get_body(("plain", "html"))
    text = part.get_content() if part else ""
    return hashlib.sha256(text.replace("\r\n", "\n").rstrip().encode()).hexdigest()


class Ledger:
    def __init__(self, options):
        self.options = options
        self.fd = os.open(options.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.transactions = 0
        self.tries = {}

    def write(self, rows):
        os.write(self.fd, b"".join(json.dumps(row).encode() + b"\n" for row in rows))

    def note(self, session, rcpt, stage, code):
        """What is not taken: refused, or (code 0) begun and answered later."""
        self.write([{"t": time.time(), "conn": session.number, "rcpt": rcpt, "stage": stage, "code": code,
                     "from": session.sender, "taken": False}])

    def try_number(self, rcpt, kind):
        key = (rcpt, kind)
        self.tries[key] = self.tries.get(key, 0) + 1
        return self.tries[key]

    def take(self, session, data, code, reply_lost):
        now = time.time()
        self.transactions += 1
        row = {"t": now, "conn": session.number, "txn": self.transactions, "from": session.sender,
               "stage": "dot", "code": code, "taken": code == 250, "reply_lost": reply_lost,
               "size": len(data), "helo": session.helo}
        head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
        for name in ("Message-ID", "X-Token", "X-Sent"):
            m = re.search(rf"(?mi)^{name}:\s*(.*?)\s*$", head)
            row[name.lower().replace("-", "_")] = m.group(1) if m else None
        if not self.options.fast:
            row["sha"] = hashlib.sha256(data).hexdigest()
            row["text_sha"] = text_sha(data)
            row["bare"] = bool(BARE.search(data))
            row["longest"] = max(map(len, data.split(b"\r\n")))
            row["leak"] = b"hidden." in data
        if self.options.keep:
            row["file"] = os.path.join(self.options.keep, f"{self.transactions}.eml")
            with open(row["file"], "wb") as f:
                f.write(data)
        self.write([dict(row, rcpt=rcpt) for rcpt in session.rcpts])


class Session(asyncio.Protocol):
    count = 0

    def __init__(self, ledger):
        self.ledger = ledger
        self.options = ledger.options
        self.buffer = bytearray()
        self.scanned = 0
        self.in_data = False
        self.paused = False
        self.helo = None
        Session.count += 1
        self.number = Session.count
        self.reset()

    def reset(self):
        self.sender = None
        self.rcpts = []
        self.verbs = {}

    def connection_made(self, transport):
        self.transport = transport
        if self.options.greeting == "close":
            transport.close()
            return
        self.say(self.options.greeting or "220 sink.test ESMTP")
        if self.options.greeting and not self.options.greeting.startswith("220"):
            transport.close()

    def say(self, line):
        if not self.transport.is_closing():
            self.transport.write(line.encode() + b"\r\n")

    def later(self, ms, step):
        """Answers after ms; until then nothing more is read from the buffer."""
        if not ms:
            step()
            return
        self.paused = True

        def go():
            self.paused = False
            step()
            self.work()
        asyncio.get_running_loop().call_later(ms / 1000, go)

    def data_received(self, data):
        self.buffer += data
        self.work()

    def work(self):
        while not self.paused and not self.transport.is_closing():
            if not (self.body_step() if self.in_data else self.command_step()):
                return

    def command_step(self):
        end = self.buffer.find(b"\r\n")
        if end < 0:
            return False
        line = self.buffer[:end].decode("latin-1")
        del self.buffer[:end + 2]
        verb = line[:4].upper()
        getattr(self, "on_" + verb.lower(), lambda _: self.say("502 5.5.1 what?"))(line)
        return True

    def on_ehlo(self, line):
        self.helo = line[5:]
        words = ["sink.test", "PIPELINING", f"SIZE {self.options.size}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self.options.no_pipelining:
            words.remove("PIPELINING")
        for word in words[:-1]:
            self.say("250-" + word)
        self.say("250 " + words[-1])

    def on_helo(self, line):
        self.helo = line[5:]
        self.say("250 sink.test")

    def on_mail(self, line):
        self.reset()
        self.sender = line[line.find("<") + 1:line.find(">")]
        self.say("250 2.1.0 ok")

    def on_rcpt(self, line):
        rcpt = line[line.find("<") + 1:line.find(">")]
        verbs = verbs_of(rcpt)
        if "slow_rcpt" in verbs:
            self.ledger.note(self, rcpt, "rcpt", 0)
        self.later(verbs.get("slow_rcpt", 0), lambda: self.answer_rcpt(rcpt, verbs))

    def answer_rcpt(self, rcpt, verbs):
        code = verbs.get("rcpt")
        if "first" in verbs and self.ledger.try_number(rcpt, "rcpt") <= verbs["first"]:
            code = "451"
        if verbs.get("close") == "rcpt":
            self.transport.close()
        elif verbs.get("421") in ("mail", "rcpt"):
            self.say("421 4.3.2 going down")
            self.transport.close()
        elif "hostile" in verbs:
            self.ledger.note(self, rcpt, "rcpt", 550)
            self.transport.write(HOSTILE)
        elif code:
            self.ledger.note(self, rcpt, "rcpt", int(code))
            self.say(f"{code} {code[0]}.1.1 no <{rcpt}>")
        else:
            self.rcpts.append(rcpt)
            for name, value in verbs.items():
                self.verbs.setdefault(name, []).append((rcpt, value))
            self.say("250 2.1.5 ok")

    def on_data(self, _):
        if not self.rcpts:
            self.say("503 5.5.1 no valid recipients")
            return
        if self.has("close", "data"):
            self.transport.close()
            return
        self.in_data = True
        self.buffer[:0] = b"\r\n"
        self.scanned = 0
        self.say("354 go")

    def has(self, name, value):
        return any(v == value for _, v in self.verbs.get(name, ()))

    def body_step(self):
        if self.has("close", "body") and len(self.buffer) > 2:
            self.transport.abort()
            return False
        end = self.buffer.find(b"\r\n.\r\n", max(0, self.scanned - 4))
        if end < 0:
            self.scanned = len(self.buffer)
            return False
        data = bytes(self.buffer[:end + 2]).replace(b"\r\n.", b"\r\n")[2:]
        del self.buffer[:end + 5]
        self.in_data = False
        delay = max((v for _, v in self.verbs.get("slow_dot", ())), default=0)
        for rcpt, _ in self.verbs.get("slow_dot", ()):
            self.ledger.note(self, rcpt, "dot", 0)
        self.later(delay, lambda: self.answer_dot(data))
        return True

    def dot_code(self):
        for rcpt, value in self.verbs.get("firstdot", ()):
            if self.ledger.try_number(rcpt, "dot") <= value:
                return 451
        for _, value in self.verbs.get("dot", ()):
            return int(value)
        if self.has("421", "dot"):
            return 421
        return 250

    def answer_dot(self, data):
        code = self.dot_code()
        lost = code == 250 and self.has("close", "afterdot")
        for rcpt, value in self.verbs.get("firstlost", ()):
            lost |= code == 250 and self.ledger.try_number(rcpt, "lost") <= value
        lost |= self.transport.is_closing()
        self.ledger.take(self, data, code, lost)
        lines = self.verbs.get("multiline", [(None, 1)])[0][1]
        if lost:
            self.transport.abort()
        elif self.verbs.get("bad"):
            self.transport.write(b"x" * 100000)
        else:
            reason = {250: "2.0.0 taken", 421: "4.3.2 closing"}.get(code, f"{code // 100}.7.1 refused at the dot")
            for _ in range(lines - 1):
                self.say(f"{code}-{reason}")
            self.say(f"{code} {reason}")
        if code == 421 or self.has("close", "after250"):
            self.transport.close()
        self.reset()

    def on_rset(self, _):
        self.reset()
        self.say("250 2.0.0 ok")

    def on_noop(self, _):
        self.say("250 2.0.0 ok")

    def on_quit(self, _):
        self.say("221 2.0.0 bye")
        self.transport.close()


async def serve(options):
    ledger = Ledger(options)
    loop = asyncio.get_running_loop()
    hosts = options.host.split(",")
    server = await loop.create_server(lambda: Session(ledger), hosts[0], options.port, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    for host in hosts[1:]:
        await loop.create_server(lambda: Session(ledger), host, port, backlog=1024)
    print(port, flush=True)
    await asyncio.Event().wait()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--host", default="127.0.0.1", help="one or more addresses, comma between")
    p.add_argument("--port", type=int, default=0, help="0: any; printed on stdout")
    p.add_argument("--ledger", required=True)
    p.add_argument("--keep", help="folder for the mails as received")
    p.add_argument("--fast", action="store_true", help="no hashes, no parsing")
    p.add_argument("--greeting", help='"close", or the first line to say')
    p.add_argument("--size", type=int, default=50_000_000)
    p.add_argument("--no-pipelining", action="store_true")
    try:
        asyncio.run(serve(p.parse_args()))
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())

"""Plays a *.talk file: a mail server as a script, with the real client (smtp_try) on the other side.

Head of a talk (before the first verb):
    client ARGS            options for smtp_try, e.g. --tls required --verify
    to ADDRESS...          recipients; default one@sink.test
    message KIND           plain (default), dots, 8bit, empty, open (no CRLF at its end), long N
Verbs, in order of the conversation:
    < TEXT                 read a line; it must begin with TEXT
    > TEXT                 send TEXT and CRLF; adjacent ones are one write
    raw "TEXT"             send exactly this (Python escapes)
    repeat N "TEXT"        the same, N times
    split N                from here on write N bytes at a time
    starttls [cert=NAME]   TLS handshake: ok, self, expired, wrongname, wildcard, address
    data                   read to the dot; must be the mail, byte for byte
    empty                  read a dot and nothing else
    read N                 read N bytes
    stall 2s / 200ms       wait
    silent 200ms           the client must send nothing in this time
    close / reset          close, or reset the connection
Expected results:
    expect OUTCOME [CODE] [TEXT]     one line a recipient and mail, in order
    failure [CODE] [TEXT]            the connection never became ready
    closed STAGE                     where it ended
    facts WORD...                    words of smtp_try's last line, e.g. verified=1
    within 5s                        the client must be done by then (default 10 s)
After the last verb the client may send QUIT and nothing else.
"""

import ast
import datetime
import ipaddress
import os
import re
import shlex
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests/support/smtp_try.c"
# `make asan` builds them.
ARCHIVES = [ROOT / "build/asan" / f"{name}.a" for name in ("smtp_client", "server_stream", "server_route", "server_base")]
SANITIZE = "-O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer".split()
HOST = "mx.sink.test"


class TalkError(AssertionError):
    pass


def build_client(path):
    """Compiles smtp_try unless it is newer than its source and the archives."""
    path = Path(path)
    inputs = [SOURCE, *ARCHIVES]
    if path.exists() and path.stat().st_mtime > max(i.stat().st_mtime for i in inputs):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(f".{os.getpid()}")    # another test process may run the old one, or compile too
    subprocess.run(
        ["cc", "-std=c17", "-g", "-I.", "-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", *SANITIZE, "-o", str(made)]
        + [str(i) for i in inputs] + ["-levent", "-lssl", "-lcrypto"],
        cwd=ROOT, check=True,
    )
    made.replace(path)
    return path


class Certificates:
    """A certificate authority, and good and bad certificates for mail servers."""

    def __init__(self, folder):
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        self.x509, self.ec, self.oid = x509, ec, NameOID
        self.folder = Path(folder)
        self.ca_key = ec.generate_private_key(ec.SECP256R1())
        self.ca = self._sign("Postern test CA", self.ca_key, "Postern test CA", self.ca_key, [], is_ca=True)
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(self._pem(self.ca))
        dns = x509.DNSName
        self._leaf("ok", [dns(HOST), dns("localhost")])
        self._leaf("wrongname", [dns("mx.other.test")])
        self._leaf("wildcard", [dns("*.sink.test")])
        self._leaf("partial", [dns("m*.sink.test")])
        self._leaf("address", [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        self._leaf("expired", [dns(HOST), dns("localhost")], days=-1)
        self._leaf("future", [dns(HOST), dns("localhost")], start=2)
        self._leaf("cnonly", [])
        self._leaf("self", [dns(HOST)], is_self=True)

    def chain(self, name):
        """The file of key and certificate for a DNS name, made now."""
        self._leaf(name, [self.x509.DNSName(name)])
        return str(self.folder / f"{name}.pem")

    def files(self, label):
        """(certificate, key), in files of their own."""
        return tuple(str(self.folder / f"{label}.{kind}") for kind in ("crt", "key"))

    def _sign(self, name, key, issuer, issuer_key, names, is_ca=False, start=-30, days=30):
        from cryptography.hazmat.primitives import hashes

        x509 = self.x509
        now = datetime.datetime.utcnow()
        title = lambda text: x509.Name([x509.NameAttribute(self.oid.COMMON_NAME, text)])
        b = (
            x509.CertificateBuilder().subject_name(title(name)).issuer_name(title(issuer))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=start))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if names:
            b = b.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return b.sign(issuer_key, hashes.SHA256())

    def _pem(self, cert):
        from cryptography.hazmat.primitives.serialization import Encoding

        return cert.public_bytes(Encoding.PEM)

    def _leaf(self, label, names, is_self=False, start=-30, days=30):
        from cryptography.hazmat.primitives import serialization as s

        key = self.ec.generate_private_key(self.ec.SECP256R1())
        issuer, issuer_key = (HOST, key) if is_self else ("Postern test CA", self.ca_key)
        cert = self._sign(HOST, key, issuer, issuer_key, names, start=start, days=days)
        pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        for kind, data in (("key", pem), ("crt", self._pem(cert)), ("pem", pem + self._pem(cert))):
            (self.folder / f"{label}.{kind}").write_bytes(data)

    def context(self, label):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.folder / f"{label}.pem")
        return ctx


def duration(text):
    match = re.fullmatch(r"([\d.]+)(ms|s)", text)
    if not match:
        raise TalkError(f"no duration: {text}")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def make_message(kind, *args):
    head = b"From: a@postern.test\r\nSubject: hello\r\n\r\n"
    return {
        "plain": head + b"One line.\r\n",
        "dots": b".leading: 1\r\n" + head + b".\r\n..\r\n.foo\r\n\r\n.\r\nend\r\n..\r\n",
        "8bit": head + "Grüße\r\n".encode(),
        "empty": b"",
        "open": head + b"no line end",
        "long": head + b"".join(b"%c%070d\r\n" % (b".x"[i % 3 == 0], i) for i in range(int((args or [0])[0]) // 73)),
    }[kind]


class Talk:
    def __init__(self, path):
        self.client, self.recipients, self.message = [], ["one@sink.test"], make_message("plain")
        self.steps, self.expects, self.failure, self.closed = [], [], None, None
        self.facts, self.within = [], 10.0
        for number, line in enumerate(Path(path).read_text().splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                verb, _, rest = line.partition(" ")
                self._add(verb, rest, f"{Path(path).name}:{number}")

    def _add(self, verb, rest, where):
        if verb == "client":
            self.client = shlex.split(rest)
        elif verb == "to":
            self.recipients = [ast.literal_eval(f"'{word}'") for word in rest.split()]
        elif verb == "message":
            self.message = make_message(*rest.split())
        elif verb == "expect":
            self.expects.append(rest.split(None, 2))
        elif verb == "failure":
            self.failure = rest.split(None, 1)
        elif verb == "closed":
            self.closed = rest
        elif verb == "facts":
            self.facts = rest.split()
        elif verb == "within":
            self.within = duration(rest)
        elif hasattr(Server, "do_" + {"<": "hear", ">": "say"}.get(verb, verb)):
            self.steps.append((where, {"<": "hear", ">": "say"}.get(verb, verb), rest))
        else:
            raise TalkError(f"{where}: no such verb: {verb}")


class Server:
    """One scripted connection."""

    def __init__(self, sock, talk, certificates):
        self.sock, self.talk, self.certificates = sock, talk, certificates
        self.rest, self.out, self.split, self.is_open = b"", b"", 0, True

    def flush(self):
        out, self.out = self.out, b""
        if not self.split:
            return self.sock.sendall(out) if out else None
        for i in range(0, len(out), self.split):
            self.sock.sendall(out[i : i + self.split])
            time.sleep(0.001)

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise TalkError(f"the client hung up; unread: {self.rest!r}")
        self.rest += data

    def do_say(self, text):
        self.out += text.encode() + b"\r\n"

    def do_raw(self, text):
        self.out += ast.literal_eval("b" + text)

    def do_repeat(self, text):
        count, _, text = text.partition(" ")
        self.out += int(count) * ast.literal_eval("b" + text)

    def do_hear(self, text):
        while b"\r\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        if not line.startswith(text.encode()):
            raise TalkError(f"expected {text!r}, the client said {line!r}")

    def do_data(self, _):
        wire = bytearray(b"\r\n" + self.rest)
        end = wire.find(b"\r\n.\r\n")
        while end < 0:
            seen = len(wire)
            data = self.sock.recv(65536)
            if not data:
                raise TalkError(f"the client hung up after {seen} bytes of the mail")
            wire += data
            end = wire.find(b"\r\n.\r\n", max(0, seen - 4))
        self.rest = bytes(wire[end + 5 :])
        lines = bytes(wire[2 : end + 2]).splitlines(keepends=True)
        mail = b"".join(l[1:] if l.startswith(b".") else l for l in lines)
        whole = self.talk.message
        if whole and not whole.endswith(b"\r\n"):
            whole += b"\r\n"
        if mail != whole:
            raise TalkError(f"the mail is not the mail: {len(mail)} bytes {mail[:300]!r}")

    def do_empty(self, _):
        while len(self.rest) < 3:
            self.more()
        if not self.rest.startswith(b".\r\n"):
            raise TalkError(f"expected a lone dot, the client said {self.rest[:200]!r}")
        self.rest = self.rest[3:]

    def do_read(self, count):
        while len(self.rest) < int(count):
            self.more()
        self.rest = self.rest[int(count) :]

    def do_split(self, count):
        self.flush()
        self.split = int(count)

    def do_stall(self, text):
        time.sleep(duration(text))

    def do_silent(self, text):
        self.sock.settimeout(duration(text))
        try:
            data = self.rest or self.sock.recv(1000)
            raise TalkError(f"expected silence, the client said {data!r}")
        except TimeoutError:
            self.sock.settimeout(self.talk.within)

    def do_starttls(self, text):
        if self.rest:
            raise TalkError(f"the client spoke before the handshake: {self.rest!r}")
        label = text.partition("cert=")[2] or "ok"
        try:
            self.sock = self.certificates.context(label).wrap_socket(self.sock, server_side=True)
        except (ssl.SSLError, ConnectionError):
            self.is_open = False

    def do_close(self, _):
        self.sock.close()
        self.is_open = False

    def do_reset(self, _):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.do_close(_)

    def play(self):
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(self.talk.within)
        for where, verb, rest in self.talk.steps:
            if not self.is_open:
                raise TalkError(f"{where}: the connection is over")
            try:
                if verb not in ("say", "raw", "repeat"):
                    self.flush()
                getattr(self, "do_" + verb)(rest)
            except (OSError, TalkError) as e:
                raise TalkError(f"{where}: {e}") from None
        if self.is_open:
            self.flush()
            self.drain()

    def drain(self):
        try:
            while data := self.sock.recv(65536):
                self.rest += data
                if self.rest == b"QUIT\r\n":
                    self.sock.sendall(b"221 bye\r\n")
        except OSError:
            pass
        if self.rest not in (b"", b"QUIT\r\n"):
            raise TalkError(f"the client said more than expected: {self.rest[:300]!r}")
        self.sock.close()


def check(talk, lines):
    last = lines.pop() if lines and lines[-1].startswith("closed") else ""
    failure = next((l.split(None, 2)[1:] for l in lines if l.startswith("failure")), None)
    results = [l.split(None, 2) for l in lines if not l.startswith("failure")]
    if (failure is None) != (talk.failure is None):
        raise TalkError(f"failure: {failure}")
    if talk.failure and (failure[0] != talk.failure[0] or "".join(talk.failure[1:]) not in failure[1]):
        raise TalkError(f"failure: {failure}, expected {talk.failure}")
    if failure and not talk.expects:
        results = [r for r in results if r != ["unsent"]]
    if len(results) != len(talk.expects):
        raise TalkError(f"results: {results}, expected {talk.expects}")
    for got, want in zip(results, talk.expects):
        if got[: len(want[:2])] != want[:2] or (len(want) > 2 and (len(got) < 3 or want[2] not in got[2])):
            raise TalkError(f"got {' '.join(got)!r}, expected {' '.join(want)!r}")
    if talk.closed and not last.startswith(f"closed {talk.closed} "):
        raise TalkError(f"closed at {last!r}, expected {talk.closed}")
    for word in talk.facts:
        if word not in last.split():
            raise TalkError(f"facts are {last!r}, expected {word}")


def run(path, client, certificates):
    talk = Talk(path)
    faults = []

    def serve(listener):
        server = Server(listener.accept()[0], talk, certificates)
        try:
            server.play()
        except Exception as e:
            faults.append(e)
        finally:
            server.sock.close()

    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.NamedTemporaryFile() as message:
        message.write(talk.message)
        message.flush()
        listener.settimeout(talk.within)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        command = [str(client), "--port", str(listener.getsockname()[1]), "--host", HOST, "--message", message.name]
        command += ["--ca", str(certificates.ca_file), *talk.client, *talk.recipients]
        begin = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=talk.within + 5)
        finally:
            thread.join(talk.within + 5)
    if done.stderr or done.returncode:
        raise TalkError(f"exit {done.returncode}: {done.stderr}")
    if faults:
        raise TalkError(f"{faults[0]}\nclient: {done.stdout}")
    if time.monotonic() - begin > talk.within:
        raise TalkError(f"took {time.monotonic() - begin:.1f} s")
    check(talk, done.stdout.splitlines())


def main(paths):
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        client = build_client(ROOT / "build/talks/smtp_try")
        certificates = Certificates(folder)
        for path in paths or sorted((ROOT / "tests/talks").glob("*.talk")):
            try:
                run(path, client, certificates)
                print(f"ok    {Path(path).name}")
            except (TalkError, subprocess.TimeoutExpired) as e:
                failed += 1
                print(f"FAIL  {Path(path).name}: {e}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A webhook receiver on loopback: keeps the requests, responds as configured, and verifies signatures.

`receiver.py PORT FILE` listens everywhere, and writes each request to FILE, one JSON line each; read()
gives them back.
"""
import base64
import contextlib
import hashlib
import hmac
import json
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """plan(path, number of requests to it so far) -> status, or (status, headers, body), or seconds to sleep before 200, or
    bytes: all that is sent before the connection is reset. tls: an ssl.SSLContext."""

    def __init__(self, plan=None, address=("127.0.0.1", 0), tls=None):
        self.plan = plan or (lambda path, n: 200)
        self.got, self.lock, self.counts = [], threading.Lock(), {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    n = receiver.counts[self.path] = receiver.counts.get(self.path, 0) + 1
                    receiver.keep({"path": self.path, "headers": dict(self.headers), "body": body, "time": time.time()})
                self.reply(receiver.plan(self.path, n))

            def reply(self, what):
                if isinstance(what, bytes):
                    self.connection.sendall(what)
                    time.sleep(0.2)         # else the reset may overtake it
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                    return
                if isinstance(what, float):
                    time.sleep(what)
                    what = 200
                status, headers, body = what if isinstance(what, tuple) else (what, {}, b"ok")
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
                        self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def finish_request(self, request, client_address):
                with contextlib.suppress(OSError):      # a handshake that fails is the client's to tell
                    super().finish_request(tls.wrap_socket(request, server_side=True) if tls else request, client_address)

        self.server = Server(address, Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def keep(self, request):
        self.got.append(request)

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"

    def events(self, path=None):
        """The bodies so far, as JSON."""
        with self.lock:
            return [json.loads(g["body"]) for g in self.got if path in (None, g["path"])]

    def requests(self, path=None):
        with self.lock:
            return [g for g in self.got if path in (None, g["path"])]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def verify(request, *secrets):
    """As Standard Webhooks has it: one of the signatures is by one of the secrets."""
    headers = {k.lower(): v for k, v in request["headers"].items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request["body"]
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 300
    given = headers["webhook-signature"].split(" ")
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        want = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(want, g) for g in given):
            return len(given)
    raise AssertionError(f"no signature of {given} fits")


class Writer(Receiver):
    def __init__(self, port, path):
        self.file = open(path, "a", encoding="utf-8")
        super().__init__(address=("0.0.0.0", port))

    def keep(self, request):
        self.file.write(json.dumps({**request, "body": request["body"].decode()}) + "\n")
        self.file.flush()


def read(path):
    """The requests in a Writer's file."""
    with open(path, encoding="utf-8") as f:
        requests = [json.loads(line) for line in f if line.endswith("\n")]
    return [{**r, "body": r["body"].encode()} for r in requests]


if __name__ == "__main__":
    Writer(int(sys.argv[1]), sys.argv[2])
    threading.Event().wait()

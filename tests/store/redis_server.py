"""A private redis-server on a Unix socket, and a small client for it."""
import os
import shutil
import socket
import subprocess
import tempfile
import time


class RedisError(Exception):
    pass


def encode(words):
    out = [b"*%d\r\n" % len(words)]
    for w in words:
        if not isinstance(w, bytes):
            w = str(w).encode()
        out.append(b"$%d\r\n%b\r\n" % (len(w), w))
    return b"".join(out)


class Client:
    """RESP2, one command or one pipeline at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb", 1 << 16)

    def close(self):
        self.file.close()
        self.socket.close()

    def read(self):
        line = self.file.readline()
        kind, value = line[:1], line[1:-2]
        if kind == b"$":
            n = int(value)
            return None if n < 0 else self.file.read(n + 2)[:-2].decode("latin-1")
        if kind == b":":
            return int(value)
        if kind == b"*":
            return None if value == b"-1" else [self.read() for _ in range(int(value))]
        if kind == b"+":
            return value.decode()
        if kind == b"-":
            return RedisError(value.decode("latin-1"))
        raise OSError(f"not RESP: {line!r}")

    def __call__(self, *words):
        self.socket.sendall(encode(words))
        answer = self.read()
        if isinstance(answer, RedisError):
            raise answer
        return answer

    def pipe(self, commands):
        self.socket.sendall(b"".join(encode(c) for c in commands))
        return [self.read() for _ in commands]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Server:
    """Empty, without disk unless fsync is named; gone after the with block. In cluster mode it is the only node, and refuses
    transitions whose keys are in more than one slot."""

    def __init__(self, fsync=None, is_cluster=False):
        self.dir = tempfile.mkdtemp(prefix="pn-store-")
        self.path = os.path.join(self.dir, "redis.sock")
        options = {"port": 0, "unixsocket": self.path, "dir": self.dir, "save": "", "loglevel": "warning",
                   "logfile": os.path.join(self.dir, "log"), "enable-debug-command": "yes", "maxmemory-policy": "noeviction",
                   "appendonly": "yes" if fsync else "no", "appendfsync": fsync or "no"}
        if is_cluster:
            options |= {"cluster-enabled": "yes", "cluster-port": free_port()}
        self.process = subprocess.Popen(["redis-server"] + [w for k, v in options.items() for w in ("--" + k, str(v))],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.clients = []
        if is_cluster:
            self.client()("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            while "cluster_state:ok" not in self.clients[0]("CLUSTER", "INFO"):
                time.sleep(0.01)

    def client(self):
        for _ in range(500):
            try:
                c = Client(self.path)
                break
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError("redis-server did not start") from None
                time.sleep(0.01)
        else:
            raise RuntimeError("redis-server does not answer")
        self.clients.append(c)
        return c

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for c in self.clients:
            c.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

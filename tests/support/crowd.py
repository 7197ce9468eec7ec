"""Many connections of an attacker, in a process of its own, so that they do not slow down the one who measures."""
import asyncio
import contextlib
import itertools
import multiprocessing
import os
import signal
import socket


async def silent(crowd, sock):
    """Sends nothing, and waits until the server closes."""
    await read_to_end(crowd, sock)


def says(data):
    """Sends data, then reads until the server closes."""
    async def talk(crowd, sock):
        await crowd.loop.sock_sendall(sock, data)
        await read_to_end(crowd, sock)
    return talk


def says_and_never_reads(data):
    """Sends data, and leaves the response in the socket."""
    async def talk(crowd, sock):
        await crowd.loop.sock_sendall(sock, data)
        await asyncio.Event().wait()
    return talk


async def read_to_end(crowd, sock):
    while data := await crowd.loop.sock_recv(sock, 65536):
        crowd.saw(data)


class Crowd:
    """n connections to host:port. Each calls `await talk(crowd, sock)`; when that returns or fails, the next one takes its place.

    sources: the addresses that the connections come from, in turns. open, most, total, ended (by the server, or by talk) and
    refused count connections; received counts octets, accepted the 2xx responses among them, if talk gives its data to saw()."""

    COUNTS = ("open", "most", "total", "ended", "refused", "received", "accepted")

    def __init__(self, port, talk=silent, n=1, host="127.0.0.1", sources=(None,), receive_buffer=None, renews=True):
        self.address, self.talk, self.n, self.renews = (host, port), talk, n, renews
        self.sources, self.receive_buffer = itertools.cycle(sources), receive_buffer
        self.shared = multiprocessing.get_context("fork").Array("q", len(self.COUNTS), lock=False)

    def __getattr__(self, name):
        if name not in self.COUNTS:
            raise AttributeError(name)
        return self.shared[self.COUNTS.index(name)]

    def add(self, name, n=1):
        self.shared[self.COUNTS.index(name)] += n

    def saw(self, data):
        """For talk: counts data that was received; `accepted` counts the responses among them that begin with 2xx."""
        self.add("received", len(data))
        self.add("accepted", data.count(b"HTTP/1.1 2"))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                self.loop = asyncio.new_event_loop()
                self.loop.run_until_complete(self.everyone())
            os._exit(0)
        return self

    async def everyone(self):
        await asyncio.gather(*(self.member() for _ in range(self.n)))

    async def member(self):
        while True:
            with contextlib.suppress(OSError):
                await self.connection()
            if not self.renews:
                return
            await asyncio.sleep(0.05)

    async def connection(self):
        with self.socket() as sock:
            try:
                await self.loop.sock_connect(sock, self.address)
            except OSError:
                self.add("refused")
                raise
            self.add("open")
            self.add("total")
            self.shared[self.COUNTS.index("most")] = max(self.most, self.open)
            try:
                await self.talk(self, sock)
            finally:
                self.add("open", -1)
                self.add("ended")

    def socket(self):
        sock = socket.socket()
        sock.setblocking(False)
        if self.receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        source = next(self.sources)
        if source:
            sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
            sock.bind((source, 0))
        return sock

    def stop(self):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

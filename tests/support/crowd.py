"""Many connections of an attacker, in one thread."""
import asyncio
import contextlib
import itertools
import socket
import threading


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
        crowd.received += len(data)
        if len(crowd.beginning) < 20_000:
            crowd.beginning += data


class Crowd:
    """n connections to host:port. Each calls `await talk(crowd, sock)`; when that returns or fails, the next one takes its place.

    sources: the addresses that the connections come from, in turns. open, most, total, ended (by the server, or by talk) and
    refused count connections; received counts octets; beginning has the first octets of the responses."""

    def __init__(self, port, talk=silent, n=1, host="127.0.0.1", sources=(None,), receive_buffer=None, renews=True):
        self.address, self.talk, self.n, self.renews = (host, port), talk, n, renews
        self.sources, self.receive_buffer = itertools.cycle(sources), receive_buffer
        self.open = self.most = self.total = self.ended = self.refused = self.received = 0
        self.beginning = b""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.thread.start()
        return self

    def run(self):
        asyncio.set_event_loop(self.loop)
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.everyone())
        self.loop.close()

    async def everyone(self):
        self.task = asyncio.current_task()
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
                self.refused += 1
                raise
            self.open += 1
            self.total += 1
            self.most = max(self.most, self.open)
            try:
                await self.talk(self, sock)
            finally:
                self.open -= 1
                self.ended += 1

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
        if self.thread.is_alive():
            with contextlib.suppress(RuntimeError):     # the loop has just ended
                self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join()

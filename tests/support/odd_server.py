"""Mail servers that refuse or hang, and count their connections. One thread, any number of connections."""
import asyncio
import socket
import threading


class OddServer:
    """Talks to each connection as its `talk` says, and keeps count: open, most, total."""

    def __init__(self, host, port=0):
        self.host, self.port = host, port
        self.open = self.most = self.total = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.is_up = threading.Event()
        self.tasks = set()

    def start(self):
        self.thread.start()
        self.is_up.wait()
        return self

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self.serve, self.host, self.port, backlog=1024))
        self.port = self.server.sockets[0].getsockname()[1]
        self.is_up.set()
        self.loop.run_forever()

    async def serve(self, reader, writer):
        self.open += 1
        self.total += 1
        self.most = max(self.most, self.open)
        self.tasks.add(asyncio.current_task())
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def talk(self, reader, writer):
        """Accepts, and says nothing."""
        await reader.read()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.server.close()
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            self.loop.run_until_complete(asyncio.wait(self.tasks))
        self.loop.close()


class Drip(OddServer):
    """Accepts all connections, then replies with one byte a second."""

    async def talk(self, reader, writer):
        writer.write(b"220 drip.test ESMTP\r\n")
        while line := await reader.readline():
            if line[:4].upper() in (b"EHLO", b"HELO"):
                writer.write(b"250 drip.test\r\n")
                continue
            for byte in b"250 2.0.0 and so on, at length\r\n":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)


class Says(OddServer):
    """Sends the same reply to all clients, as its greeting or as its reply to a verb, then closes."""

    def __init__(self, host, port=0, words="421 4.3.2 too many connections", verb=None):
        super().__init__(host, port)
        self.words, self.verb = words, verb

    async def talk(self, reader, writer):
        if self.verb:
            writer.write(b"220 says.test ESMTP\r\n")
            while not (await reader.readuntil(b"\r\n")).upper().startswith(self.verb.encode()):
                writer.write(b"250 ok\r\n")
        writer.write(self.words.encode() + b"\r\n")
        await writer.drain()


class Picky(OddServer):
    """Takes mail, but says `words` to `verb` ("." is the end of the mail), and to each RCPT after `limit` of a transaction."""

    def __init__(self, host, port=0, words="451 4.3.0 later", verb=None, limit=1000, silent_at=0):
        """silent_at: the mail of this number gets no reply to its end."""
        super().__init__(host, port)
        self.silent_at, self.n_mails = silent_at, 0
        self.words, self.verb, self.limit, self.taken = words.encode() + b"\r\n", verb, limit, []

    async def talk(self, reader, writer):
        writer.write(b"220 picky.test ESMTP\r\n")
        recipients = []
        while line := await reader.readline():
            verb = line[:4].decode().upper().strip()
            if verb == "MAIL":
                recipients = []
            if verb == "RCPT" and len(recipients) >= self.limit or verb == self.verb:
                writer.write(self.words)
                continue
            if verb == "RCPT":
                recipients.append(line.decode().split("<")[1].split(">")[0])
            if verb == "DATA":
                writer.write(b"354 go\r\n")
                while await reader.readline() != b".\r\n":
                    pass
                if self.verb == ".":
                    writer.write(self.words)
                    continue
                self.n_mails += 1
                if self.n_mails == self.silent_at:
                    await reader.read()
                    return
                self.taken.append(recipients)
            writer.write(b"250 2.0.0 ok\r\n")


class Deaf:
    """Its connections are never made: the queue of the listener is full."""

    def __init__(self, host, port):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(0)
        self.waiting = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((host, port))
            self.waiting.append(s)

    def stop(self):
        for s in [*self.waiting, self.listener]:
            s.close()

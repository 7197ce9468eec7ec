"""A proxy between Postern and Redis that knows each command by name, and makes a chosen one fail.

Faults: "error" answers an error of Redis in its place, and Redis never sees the command; "unheard"
cuts the connection before the command reaches Redis; "unanswered" lets Redis do it, and cuts the
connection instead of giving the answer. Earlier commands on the connection get their answers first.
"""
import asyncio
import collections
import contextlib
import threading



class Fault:
    """Spoils the at-th command of that name from now on."""

    def __init__(self, kind, name, at=1, error="OOM command not allowed when used memory > 'maxmemory'."):
        self.kind, self.name, self.at, self.error = kind, name, at, error
        self.is_hit = False


class Proxy:
    def __init__(self, redis_socket, path):
        self.redis_socket, self.path = redis_socket, str(path)
        self.url = "unix://" + self.path
        self.faults = []
        self.refusal = None  # an error that answers every command
        self.seen = collections.Counter()
        self.open = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        up = threading.Event()

        async def listen():
            self.server = await asyncio.start_unix_server(self.serve, self.path)
            up.set()
        self.loop.create_task(listen())
        self.thread.start()
        assert up.wait(10)
        return self

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def stop(self):
        def end():
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.call_later(0.1, self.loop.stop)
        self.loop.call_soon_threadsafe(end)
        self.thread.join(10)

    def cut_all(self):
        def cut():
            for connection in list(self.open):
                connection.cut()
        self.loop.call_soon_threadsafe(cut)

    async def serve(self, reader, writer):
        redis_reader, redis_writer = await asyncio.open_unix_connection(self.redis_socket, limit=1 << 26)
        connection = Connection(self, reader, writer, redis_reader, redis_writer)
        self.open.add(connection)
        try:
            await asyncio.gather(connection.ask(), connection.answer())
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            connection.cut()
            self.open.discard(connection)

    def name_of(self, words):
        """"take" for a transition ("renew" for a dot that is no fence), else the command's name."""
        name = words[0].upper().decode()
        if name == "FUNCTION":
            return f"FUNCTION {words[1].decode().upper()}"
        if name != "FCALL":
            return name
        script = words[1].decode().rpartition("_")[0]
        return "renew" if script == "dot" and words[6] == b"0" else script

    def take_fault(self, name):
        self.seen[name] += 1
        if self.refusal:
            return Fault("error", name, error=self.refusal)
        for fault in self.faults:
            if not fault.is_hit and fault.name == name:
                fault.at -= 1
                fault.is_hit = fault.at == 0
                if fault.is_hit:
                    return fault
        return None


class Connection:
    REAL, LOST = object(), object()

    def __init__(self, proxy, reader, writer, redis_reader, redis_writer):
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.redis_reader, self.redis_writer = redis_reader, redis_writer
        self.owed = collections.deque()  # answers in order: REAL, LOST, or what to say instead
        self.is_subscriber = False

    def cut(self):
        for writer in (self.writer, self.redis_writer):
            with contextlib.suppress(Exception):
                writer.close()

    async def ask(self):
        while True:
            raw, words = await read_command(self.reader)
            name = self.proxy.name_of(words)
            fault = self.proxy.take_fault(name)
            self.is_subscriber |= name == "SSUBSCRIBE"
            if fault is None:
                self.owed.append(self.REAL)
                self.redis_writer.write(raw)
            elif fault.kind == "error":
                self.owed.append(b"-" + fault.error.encode() + b"\r\n")
                self.say_owed()
            elif fault.kind == "unheard":
                self.cut()
            else:
                self.owed.append(self.LOST)
                self.redis_writer.write(raw)

    async def answer(self):
        while True:
            raw = await read_reply(self.redis_reader)
            if self.is_subscriber and (not self.owed or self.owed[0] is not self.LOST):
                self.say(raw)
                continue
            if self.owed.popleft() is self.LOST:
                self.cut()
                return
            self.say(raw)
            self.say_owed()

    def say(self, raw):
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(raw)

    def say_owed(self):
        while self.owed and isinstance(self.owed[0], bytes):
            self.say(self.owed.popleft())


async def read_command(reader):
    line = await reader.readuntil(b"\r\n")
    raw, words = [line], []
    for _ in range(int(line[1:])):
        head = await reader.readuntil(b"\r\n")
        word = await reader.readexactly(int(head[1:]) + 2)
        raw += [head, word]
        words.append(word[:-2])
    return b"".join(raw), words


async def read_reply(reader):
    line = await reader.readuntil(b"\r\n")
    raw = [line]
    if line[:1] == b"$" and line[1:2] != b"-":
        raw.append(await reader.readexactly(int(line[1:]) + 2))
    elif line[:1] == b"*" and line[1:2] != b"-":
        for _ in range(int(line[1:])):
            raw.append(await read_reply(reader))
    return b"".join(raw)

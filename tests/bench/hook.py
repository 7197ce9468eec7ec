#!/usr/bin/python3
"""A webhook receiver that costs little: answers 204, notes how long after the event's commit each request came.

`hook.py` prints its port, then, when it is told to end, one line of JSON: {"requests", "p50 ms", "p99 ms"}."""
import asyncio
import json
import signal
import time
from datetime import datetime

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
waits = []


class Hook(asyncio.Protocol):
    def __init__(self):
        self.data = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        while True:
            head = self.data.find(b"\r\n\r\n")
            if head < 0:
                return
            at = self.data.lower().find(b"content-length:", 0, head)
            length = int(self.data[at + 15:self.data.index(b"\r\n", at)])
            end = head + 4 + length
            if len(self.data) < end:
                return
            body, self.data = self.data[head + 4:end], self.data[end:]
            at = body.index(b'"created_at":"') + 14
            waits.append(1000 * (time.time() - datetime.fromisoformat(body[at:at + 23].decode() + "+00:00").timestamp()))
            self.transport.write(ANSWER)


async def main():
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    server = await asyncio.get_running_loop().create_server(Hook, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    waits.sort()
    pick = lambda p: waits[min(len(waits) - 1, int(len(waits) * p / 100))] if waits else 0
    print(json.dumps({"requests": len(waits), "p50 ms": pick(50), "p99 ms": pick(99)}), flush=True)


asyncio.run(main())

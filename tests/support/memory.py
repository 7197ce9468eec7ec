"""Memory of a running Postern, and its peak while something happens."""
import contextlib
import os
import threading
from pathlib import Path

from support import harness


def resident_bytes(pid):
    """/proc/PID/statm can be read of any process, unlike smaps."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def is_redis(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith("redis")
    return False


class Memory:
    """postern(): bytes resident in all processes of the server except Redis. redis(): what Redis uses, by its own count.

    In `with Memory(server) as memory`, a thread samples both; memory.start, .peak and .end are of postern(), .redis_start,
    .redis_peak and .redis_end of redis()."""

    def __init__(self, server, every=0.1):
        self.server, self.every, self.done = server, every, threading.Event()

    def processes(self):
        """The bytes of each process, in the order of their start."""
        pids = [self.server.process.pid, *sorted(harness.direct_children(self.server.process.pid))]
        return [resident_bytes(pid) for pid in pids if not is_redis(pid)]

    def postern(self):
        return sum(self.processes())

    def redis(self):
        with harness.RedisClient(self.server.redis_socket) as r:
            return int(r.info("memory")["used_memory"])

    def __enter__(self):
        self.start = self.peak = self.end = self.postern()
        self.redis_start = self.redis_peak = self.redis_end = self.redis()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        while not self.done.wait(self.every):
            self.sample()

    def sample(self):
        self.end = self.postern()
        self.peak = max(self.peak, self.end)
        with contextlib.suppress(OSError, harness.RedisError):
            self.redis_end = self.redis()
            self.redis_peak = max(self.redis_peak, self.redis_end)

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.sample()

    def row(self):
        mb = 1 << 20
        return {name: getattr(self, name) // mb for name in ("start", "peak", "end", "redis_start", "redis_peak", "redis_end")}

"""A Redis on a simulated disk that loses all unsynced writes in a power failure.

kill() is the power loss: SIGKILL, and then each file of the log is cut back to what fsync or
fdatasync had confirmed of it (synced.c, preloaded), or somewhere between that and its end. That
new and renamed files are there is not put in question.
"""
import os
import random
import subprocess

from support import harness

SOURCE = harness.SUPPORT / "synced.c"


def library():
    built = harness.ROOT / "build" / "synced.so"
    if not built.exists() or built.stat().st_mtime < SOURCE.stat().st_mtime:
        built.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", str(built), str(SOURCE)], check=True,
                       timeout=60)
    return str(built)


class FrailRedis(harness.Redis):
    def __init__(self, directory, **settings):
        super().__init__(directory, auto_aof_rewrite_percentage=0, **settings)
        self.synced_log = self.directory / "synced.log"
        self.env = dict(os.environ, LD_PRELOAD=library(), SYNCED_LOG=str(self.synced_log))
        self.rng = random.Random(1)
        self.forgotten_bytes = []  # one entry a power loss

    def kill(self):
        super().kill()
        synced = {}
        for line in self.synced_log.read_text().splitlines():
            inode, length = map(int, line.split())
            synced[inode] = length
        self.forgotten_bytes.append(sum(self.cut(path, synced) for path in (self.directory / "appendonlydir").iterdir()))

    def cut(self, path, synced):
        at = path.stat()
        kept = min(synced.get(at.st_ino, 0), at.st_size)
        if self.rng.random() < 0.5:
            kept = self.rng.randint(kept, at.st_size)
        os.truncate(path, kept)
        return at.st_size - kept

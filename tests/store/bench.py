"""bench.py [BATCH...]: µs of Redis a message in each transition: script (cmdstat_fcall) and process (CPU of redis-server).

fsync always, one recipient, 1,000 destinations, one client.
"""
import sys
import time

from one_store import Store
from redis_server import Server
from scripts import Scripts

DESTS, MESSAGES = 1000, 12_000
CONTENT = "C" * 1500


class Meter:
    def __init__(self, client, process):
        self.client, self.process = client, process

    def look(self):
        info = self.client("INFO", "commandstats")
        usec = [int(line.split("usec=")[1].split(",")[0]) for line in info.splitlines() if line.startswith("cmdstat_fcall:")]
        with open(f"/proc/{self.process.pid}/schedstat", encoding="ascii") as f:
            return sum(usec), int(f.read().split()[0]) / 1000

    def measure(self, name, n, work):
        script, process = self.look()
        start = time.monotonic()
        work()
        seconds = time.monotonic() - start
        s, p = self.look()
        print(f"  {name:28} script {(s - script) / n:6.1f} us   process {(p - process) / n:6.1f} us   {n / seconds:7.0f}/s", flush=True)
        return (s - script) / n, (p - process) / n


def chunks(things, n):
    return [things[i:i + n] for i in range(0, len(things), n)]


def run(batch):
    print(f"batch {batch}")
    with Server(fsync="always") as server:
        client = server.client()
        store = Store(client, Scripts(client, real_clock=True))
        meter, held = Meter(client, server.process), []

        def accept(idempotent):
            messages = [store.message(dest=f"d{i % DESTS}.ex", content=CONTENT, bytes=1500) for i in range(MESSAGES)]
            for m in messages if idempotent else []:
                m[2] = m[0] * 2
            for part in chunks(messages, batch):
                store.accept(*part)

        def take_new():
            while True:
                slots, jobs = store.take(batch, free=batch, lease=600_000, max_bytes=1 << 24)
                if not slots:
                    break
                held.extend(jobs)

        def take_known():
            turn = 0
            while len(held) < MESSAGES:
                sites = [(f"d{(turn + i) % DESTS}.ex", 1, 0) for i in range(batch)]
                turn += batch
                held.extend(store.take(batch, sites=sites, lease=600_000, max_bytes=1 << 24)[1])

        def dot():
            for part in chunks(held, batch):
                store.scripts("dot", "w", 660_000, 1, 60_000, *[w for j in part for w in j[:2]])

        def settle():
            for part in chunks(held, batch):
                store.settle(part)

        def give():
            for part in chunks(held, batch):
                assert all(store.giveback(part))

        total = [meter.measure("accept, with key", MESSAGES, lambda: accept(True))]
        new = meter.measure("take, new sites", DESTS, take_new)
        assert len(held) == DESTS
        total.append(meter.measure("take, known sites", MESSAGES - DESTS, take_known))
        total += [meter.measure("dot", MESSAGES, dot), meter.measure("settle delivered", MESSAGES, settle)]
        print(f"  {'sum (known sites)':28} script {sum(t[0] for t in total):6.1f} us   process {sum(t[1] for t in total):6.1f} us")
        held.clear()
        meter.measure("accept, without key", MESSAGES, lambda: accept(False))
        take_known()
        meter.measure("giveback", MESSAGES, give)
        return new


if __name__ == "__main__":
    for size in [int(w) for w in sys.argv[1:]] or [32, 64]:
        run(size)

"""A store with short calls, for tests of single cases, and the runner of such tests."""
import random
import signal
import sys
import time
import traceback
from collections import Counter
from hashlib import sha1

from redis_server import RedisError, Server
from scripts import ROOT, Clock, Scripts
from snapshot import Reader
from world import RETENTION


def granted_sites(slots):
    """site -> connections, of the rows of a reply of take."""
    sites = Counter()
    for site, n, _ in zip(*[iter(slots)] * 3):
        sites[site] += n
    return dict(sites)


class Store:
    def __init__(self, client, scripts, otp_limit=100_000):
        self.client, self.scripts, self.rnd = client, scripts, random.Random(1)
        client("FLUSHDB")
        self.clock = Clock(client, 1_700_000_000_000)
        scripts("init_partition", otp_limit, "ins_test", 1)
        self.n_ids = self.n_requests = 0

    def message(self, dest="a.ex", lane="normal", project="1", within=3_600_000, unknown="-", chunks=0, content="C", start=0, bytes=100, limits=(0, 0)):
        """The words of accept for one recipient."""
        self.n_ids += 1
        mode, state = "test" if dest.startswith("sink/") else "live", "scheduled" if start else "queued"
        return [f"msg_{self.n_ids:026d}", f"{lane} {mode} {unknown} {project} {within} {start} {bytes} {chunks} s@x.ex", "", "fp",
                f"1 0 0 0 {dest}\n", f"{state} 0 0 0 0 0 u@{dest}\n", "{}",
                sha1(f"u@{dest}".encode()).hexdigest()[:6], "", *limits, content]

    def accept(self, *messages):
        answer = self.scripts("accept", 0, 86_400_000, RETENTION, *[w for m in messages for w in m])
        assert all(status == 1 for status in answer[::4]), answer
        return [m[0] for m in messages]

    def fill(self, n, **what):
        for i in range(0, n, 100):
            self.accept(*[self.message(**what) for _ in range(min(100, n - i))])

    def take(self, n=64, owner="w", free=0, limit=1000, sites=(), max_bytes=1 << 20, lease=60_000, shares=(100, 200), only=None, otp_free=0, capped=""):
        """sites: (name, jobs wanted, connections wanted); only: {site: connections}, all that the owner has.

        Returns ({site: connections}, [(ref, epoch, site, record, content)]). Sets granted, {(site, project): connections}, and waiting.
        """
        self.n_requests += 1
        known = {site: (want, grow) for site, want, grow in sites} | {site: (0, 0) for site in only or {} if site not in {s[0] for s in sites}}
        _, slots, jobs, _, _, self.waiting = self.scripts("take", owner, f"r{self.n_requests}", n, max_bytes, lease, 120_000, limit, free, otp_free, capped, *shares, RETENTION,
                                            int(only is not None), *[w for site, two in known.items() for w in (site, *two, (only or {}).get(site, 0))])
        self.granted = {(site, project): n for site, n, project in zip(*[iter(slots)] * 3)}
        return granted_sites(slots), list(zip(*[iter(jobs)] * 5))

    def settle(self, jobs, owner="w", outcome="delivered"):
        return self.scripts("settle", owner, RETENTION, *[w for ref, epoch, *_ in jobs for w in (ref, epoch, 0, f"0 {outcome} 250 - ok\n")])

    def giveback(self, jobs, owner="w", site="", delay=0):
        return self.scripts("giveback", owner, 86400, *[w for ref, epoch, taken_site, *_ in jobs for w in (ref, epoch, taken_site, site, delay)])

    def slot(self, *words, owner="w"):
        self.n_requests += 1
        return self.scripts("slot", owner, f"r{self.n_requests}", *words)

    def rest(self, site, first=20_000, longest=300_000, spread=500, why="421 4.3.2 busy"):
        return self.scripts("rest", site, first, longest, spread, 421, why)

    def retry(self, message_id, least=10_000):
        self.n_requests += 1
        return self.scripts("retry", RETENTION, least, f"r{self.n_requests}", message_id)

    def release(self, dead=""):
        return self.scripts("release", 100, RETENTION, 3000, 3, dead, 0)

    def commands(self, work):
        """How many Redis commands the scripts called meanwhile."""
        def count():
            info = self.client("INFO", "commandstats")
            return sum(int(line.split("calls=")[1].split(",")[0]) for line in info.splitlines()[1:])
        before = count()
        work()
        return count() - before

    def get(self, key):
        return self.client("GET", ROOT + key)

    def read(self):
        return Reader(self.client).read()


def field(job, i):
    return job[3].split("\n")[0].split(" ")[i]


def lane_of(job):
    return field(job, 1)


def project_of(job):
    return field(job, 4)


def find_bugs(store, bugs, work):
    """work(a store with one of the bugs) must fail an assertion, for each bug. An error of Redis is not enough, as in prop.py."""
    for name, patch in bugs.items():
        broken = Store(store.client, Scripts(store.client, patch))
        try:
            work(broken)
        except AssertionError:
            continue
        raise AssertionError(f"not found: {name}")


def run_tests(module):
    """Runs the test functions of a module, each on an empty store; returns the number of failures."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = 0
    with Server() as server:
        client = server.client()
        scripts = Scripts(client)
        for name, test in [(n, f) for n, f in vars(module).items() if n.startswith("test_")]:
            start = time.monotonic()
            try:
                test(Store(client, scripts))
                print(f"ok {name[5:].replace('_', ' ')} ({time.monotonic() - start:.1f} s)", flush=True)
            except (AssertionError, RedisError):
                failed += 1
                print(f"FAILED {name[5:].replace('_', ' ')}\n{traceback.format_exc()}", flush=True)
    return 1 if failed else 0

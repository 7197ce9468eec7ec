"""prop.py SEED STEPS [--bug NAME] | --bugs [N]: random interleavings of the store's transitions; the whole store is checked after each.

With a bug, or all (or N) of them, the scripts are broken on purpose, and the test must find it.
"""
import argparse
import random
import signal
import sys
import time
from collections import Counter

from actions import Actors
from bugs import BUGS
from drain import drain
from redis_server import RedisError, Server
from scripts import Scripts
from snapshot import Violation


def run(seed, steps, bug=None, is_cluster=False):
    """Returns (steps done, None or (the error, the last commands), the actions)."""
    rnd, done, n = random.Random(seed), Counter(), 0
    with Server(is_cluster=is_cluster) as server:
        client = server.client()
        scripts = Scripts(client, BUGS[bug] if bug else None)
        while n < steps:
            actors = Actors(client, scripts, rnd)
            try:
                for _ in range(min(rnd.randint(150, 500), steps - n)):
                    actors.step()
                    n += 1
                drain(actors)
            except (Violation, RedisError) as e:
                return n, (e, "\n".join(f"    {c}" for c in actors.trace)), done
            done += actors.done
            done["rounds"] += 1
    return n, None, done


def find_bugs(names, steps=60_000):
    """Each of them must violate a rule; returns how many did not. An error of Redis is not enough: the broken script may not run at all."""
    not_found = 0
    for name in names:
        start = time.monotonic()
        n, failure, _ = run(1, steps, name)
        is_found = failure is not None and isinstance(failure[0], Violation)
        not_found += not is_found
        line = ("" if is_found else "NOT FOUND ") + (str(failure[0]).splitlines()[0][:150] if failure else "")
        print(f"{'ok' if is_found else 'FAILED'} seeded bug {name}: after {n} steps, {time.monotonic() - start:.1f} s: {line}", flush=True)
    return not_found


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("seed", type=int, nargs="?", default=1)
    p.add_argument("steps", type=int, nargs="?", default=10_000)
    p.add_argument("--bug", choices=sorted(BUGS))
    p.add_argument("--cluster", action="store_true", help="on a node of a Redis Cluster: each transition keeps to one slot")
    p.add_argument("--bugs", metavar="N", help="find N seeded bugs, picked by seed, or \"all\"")
    a = p.parse_args()
    if a.bugs:
        n = len(BUGS) if a.bugs == "all" else int(a.bugs)
        return 1 if find_bugs(random.Random(a.seed).sample(sorted(BUGS), n)) else 0
    start = time.monotonic()
    n, failure, done = run(a.seed, a.steps, a.bug, a.cluster)
    seconds = time.monotonic() - start
    if failure:
        print(f"FAILED seed {a.seed}, step {n}: {failure[0]}\n{failure[1]}")
        return 1
    print(f"ok seed {a.seed}: {n} steps, {seconds:.0f} s, {', '.join(f'{v} {k}' for k, v in sorted(done.items()))}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the private server goes too
    sys.exit(main())

"""Suppressions by bounces reach all partitions, and a removal wins, in any order of steps, with keepers that die in the middle."""
import json
import random
import sys

from bugs import SYNC_BUGS
from one_store import Store, run_tests
from redis_server import RedisError
from scripts import Scripts
from world import RETENTION

PARTITIONS = range(3)
TENANT, ADDRESS = "1", "u@a.ex"
DAY = 86_400_000


class Race:
    """One address. Each actor is a generator, which yields after each call. Steps as in server/store/projects/suppressions.c and suppression_sync.c."""

    def __init__(self, store, rnd):
        self.store, self.rnd = store, rnd
        self.late = []                         # calls of those that died: perhaps they were on their way
        self.came = self.wanted = self.removal_began = self.removal_ended = 0
        self.n = 0

    def call(self, p, name, *words):
        return self.store.scripts.at(p, name, *words)

    def listed(self):
        return [self.store.client("HEXISTS", f"pn:{{p{p}}}:sup:{TENANT}", ADDRESS) for p in PARTITIONS]

    def shuffled(self, partitions=PARTITIONS):
        return self.rnd.sample(partitions, len(partitions))

    def bounce(self):
        p, self.n = self.rnd.choice(PARTITIONS), self.n + 1
        self.call(p, "accept", 0, DAY, RETENTION, *self.store.message())
        yield
        _, _, jobs, _, _ = self.call(p, "take", "w", f"r{self.n}", 1, 1 << 20, 60_000, 120_000, 10, 0, 100, 200, RETENTION, 0, "a.ex", 1, 0, 1)
        if jobs:
            yield
            was = self.listed()[p]
            self.call(p, "settle", "w", RETENTION, jobs[0], jobs[1], 0, "0 bounced 550 sup no such user\n")
            if not was:
                self.came = self.wanted = self.store.clock.now

    def look(self, found):
        for p in self.shuffled():
            now, text, gone = self.call(p, "suppression_look", TENANT, ADDRESS)
            entry = text and (int(json.loads(text)["at"]), text)
            found.append((now, entry or (0, ""), gone))
            yield

    def removal(self):
        self.removal_began, found = self.store.clock.now, []
        yield from self.look(found)
        entry = max(e for _, e, _ in found)
        if entry[1]:
            at = max(entry[0], *[now for now, _, _ in found])
            for p in self.shuffled():
                self.call(p, "suppression_remove", TENANT, ADDRESS, at, DAY)
                yield
        self.removal_ended = self.store.clock.now

    def addition(self):
        began, found = self.store.clock.now, []
        yield from self.look(found)
        (at, text), gone = max(e for _, e, _ in found), max(g for _, _, g in found)
        if not text or at <= gone:
            text = json.dumps({"reason": "manual", "at": str(max(gone + 1, *[now for now, _, _ in found]))})
        for p in self.shuffled():
            self.came = self.store.clock.now
            self.call(p, "suppression_put", TENANT, ADDRESS, text)
            yield
        self.wanted = max(self.wanted, began)

    def keeper(self, home=None, may_die=True):
        home = self.rnd.choice(PARTITIONS) if home is None else home
        words = self.call(home, "suppression_news", 100)
        yield
        for what, p in [("suppression_copy", p) for p in self.shuffled() if p != home] + [("suppression_copied", home)]:
            if may_die and self.rnd.random() < .1:
                self.late.append((p, what, words))
                return
            if words:
                self.call(p, what, *words)
                yield

    def arrival(self):
        if self.late:
            p, what, words = self.late.pop(self.rnd.randrange(len(self.late)))
            self.call(p, what, *words)
            yield

    def check(self, when):
        if self.came < self.removal_began <= self.removal_ended:
            assert self.listed() == [0, 0, 0], f"{when}: back after its removal: {self.listed()}"

    def start(self, actors):
        kind = self.rnd.choice(("bounce", "bounce", "keeper", "keeper", "keeper", "removal", "addition", "arrival"))
        if kind != "removal" or not any(k == kind for k, _ in actors):
            actors.append((kind, getattr(self, kind)()))

    def finish(self, actors):
        for _, actor in actors:
            for _ in actor:
                self.store.clock.move(1)
        while self.late:
            list(self.arrival())
        for p in PARTITIONS:
            list(self.keeper(p, may_die=False))
        assert [self.call(p, "suppression_news", 100) for p in PARTITIONS] == [[]] * 3, "news that nobody takes"
        assert len(set(self.listed())) == 1, f"partitions differ: {self.listed()}"
        self.check("at the end")
        if self.wanted > self.removal_ended:
            assert self.listed() == [1, 1, 1], f"forgotten: {self.listed()}"

    def run(self, steps):
        actors = []
        for _ in range(steps):
            if len(actors) < 4:
                self.start(actors)
            if actors:
                i = self.rnd.randrange(len(actors))
                if next(actors[i][1], self) is self:
                    actors.pop(i)
            self.store.clock.move(self.rnd.choice((1, 1, 5)))
            self.check("meanwhile")
        self.finish(actors)


def race(store, seeds):
    for seed in seeds:
        for p in PARTITIONS:
            keys = store.client("KEYS", f"pn:{{p{p}}}:*")
            if keys:
                store.client("DEL", *keys)
            store.scripts.at(p, "init_partition", 1000)
        Race(store, random.Random(seed)).run(60)


def test_a_bounce_reaches_all_partitions_and_a_removal_wins_in_any_order(store):
    race(store, range(400))


def test_the_seeded_bugs_are_found(store):
    for name, patch in SYNC_BUGS.items():
        broken = Store(store.client, Scripts(store.client, patch))
        try:
            race(broken, range(400))
        except (AssertionError, RedisError):
            continue
        raise AssertionError(f"not found: {name}")


if __name__ == "__main__":
    sys.exit(run_tests(sys.modules["__main__"]))

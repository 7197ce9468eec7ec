"""Suppressions by bounces reach all partitions, and a removal wins, in any order of steps, with keepers that die in the middle."""
import json
import random
import sys

from bugs import SYNC_BUGS
from one_store import find_bugs, run_tests
from scripts import ROOT
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
        _, _, jobs, *_ = self.call(p, "take", "w", f"r{self.n}", 1, 1 << 20, 60_000, 120_000, 10, 0, 0, "", 100, 200, RETENTION, 0, "a.ex", 1, 0, 1)
        if jobs:
            yield
            was = self.listed()[p]
            self.call(p, "settle", "w", RETENTION, jobs[0], jobs[1], 0, "0 bounced 550 sup no such user\n")
            if not was:
                self.came = self.wanted = self.store.clock.now

    def look(self, found):
        for p in self.shuffled():
            now, text, gone, _ = self.call(p, "suppression_look", TENANT, ADDRESS)
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
            store.scripts.at(p, "init_partition", 1000, "ins_test", 1)
        Race(store, random.Random(seed)).run(60)


def test_a_bounce_reaches_all_partitions_and_a_removal_wins_in_any_order(store):
    race(store, range(400))


def fill(store, tenant, entries):
    """entries: (address, reason), one a second, the oldest first."""
    for address, reason in entries:
        store.clock.move(1000)
        words = (tenant, address, json.dumps({"reason": reason, "at": str(store.clock.now)}))
        store.scripts("suppression_put", *words)
        if reason == "bounce":
            store.client("ZADD", ROOT + "sup_new", store.clock.now, f"{tenant} {address}")


def listed(store, tenant):
    s = store.read()
    assert set(s.suppressed.get(tenant, {})) == s.suppressed_at.get(tenant, set()) >= s.suppressed_bounced.get(tenant, set())
    assert all(name.split(" ")[1] in s.suppressed[name.split(" ")[0]] for name in s.suppressed_new)
    return " ".join(sorted(s.suppressed.get(tenant, {})))


def test_a_list_with_too_many_entries_loses_its_oldest_bounces(store):
    fill(store, "1", [("a", "manual"), ("b", "bounce"), ("c", "manual"), ("d", "bounce"), ("e", "bounce")])
    fill(store, "2", [("x", "bounce"), ("y", "bounce")])
    for most, reply, one, two in ((5, [0, 0, 0], "a b c d e", "x y"), (4, [0, 1, 0], "a c d e", "x y"), (1, [0, 3, 0], "a c", "y"), (1, [0, 0, 0], "a c", "y")):
        assert store.scripts("suppression_trim", most, 0, "1", "2") == reply
        assert (listed(store, "1"), listed(store, "2")) == (one, two), most
    fill(store, "3", [(f"n{i}", "bounce") for i in range(1500)])
    assert store.scripts("suppression_trim", 100, 0, "3") == [0, 1000, 1] and store.scripts("suppression_trim", 100, 0, "3") == [0, 400, 0]


def test_entries_by_bounces_end_after_their_life_and_others_stay(store):
    fill(store, "1", [("a", "manual"), ("b", "bounce"), ("c", "bounce")])
    assert store.scripts("suppression_trim", 100, 0, "1") == [0, 0, 0]
    assert store.scripts("suppression_trim", 100, 1500, "1") == [0, 0, 0] and listed(store, "1") == "a b c"
    store.clock.move(1000)
    assert store.scripts("suppression_trim", 100, 1500, "1") == [1, 0, 0] and listed(store, "1") == "a c"
    store.clock.move(10 ** 9)
    assert store.scripts("suppression_trim", 100, 1500, "1") == [1, 0, 0] and listed(store, "1") == "a"


def test_the_seeded_bugs_are_found(store):
    find_bugs(store, SYNC_BUGS, lambda broken: race(broken, range(400)))


if __name__ == "__main__":
    sys.exit(run_tests(sys.modules["__main__"]))

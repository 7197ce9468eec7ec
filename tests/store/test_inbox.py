"""Test inboxes by random steps: what is counted is there, caps hold, the oldest goes first, content goes with its last entry."""
import random
import sys

from bugs import INBOX_BUGS
from one_store import find_bugs, run_tests
from scripts import ROOT

LIFE_S = 86400
MOST = 3
KEPT, NEEDS_CONTENT, NOT_KEPT = 1, 2, 3
NAMES = ["r0", "r1", "r2", "r3"]
TENANTS = ["1t", "2t", "3t"]


class Inboxes:
    """Tenants that get mail. The test moves the clock, but Redis expires nothing by it: `pass_time` deletes what has expired."""

    def __init__(self, store, rnd):
        self.store, self.client, self.rnd = store, store.client, rnd
        self.cap, self.total_cap = 20_000, 45_000
        self.messages, self.n = {}, 0
        self.dropped = dict.fromkeys(TENANTS, 0)

    # -- what is in Redis --

    def get(self, command, name, *words):
        return self.client(command, ROOT + name, *words)

    def pairs(self, name):
        flat = self.get("HGETALL", name)
        return dict(zip(flat[::2], flat[1::2]))

    def order(self, tenant, recipient="*"):
        return [int(s) for s in self.get("ZRANGE", f"in_order:{tenant}:{recipient}", 0, -1)]

    def bytes(self):
        flat = self.get("ZRANGE", "in_bytes", 0, -1, "WITHSCORES")
        return dict(zip(flat[::2], map(int, flat[1::2])))

    # -- steps --

    def put(self):
        tenant = self.rnd.choice(TENANTS)
        message, (chunks, size) = self.message(tenant)
        names = self.rnd.sample(NAMES, self.rnd.randint(1, 3))
        before, was = self.order(tenant), {name: self.order(tenant, name) for name in names}
        full = self.rnd.random() < 0.05
        status, dropped = self.call_put(tenant, message, "c" * size if chunks == 1 else "", 0, size, names, full)
        if status == NEEDS_CONTENT:
            assert chunks > 1 and not full and self.order(tenant) == before
            for k in range(chunks):
                self.get("SET", f"in_c:{tenant}:{message}:{k}", "x", "EX", 3600)
            status, dropped = self.call_put(tenant, message, "", chunks, size, names, full)
        self.check_put(tenant, status, dropped, before, was, full)

    def message(self, tenant):
        if not self.messages.get(tenant) or self.rnd.random() < 0.6:
            self.n += 1
            self.messages.setdefault(tenant, []).append((f"msg_{self.n:026d}", self.rnd.choice([(1, 300), (1, 2000), (3, 6000)])))
        return self.rnd.choice(self.messages[tenant][-3:])

    def call_put(self, tenant, message, content, chunks, size, names, full):
        items = [w for name in names for w in (name, '{"recipient":"%s"}' % name)]
        return self.store.scripts("inbox", tenant, message, content, chunks, size, size, LIFE_S, MOST, self.cap,
                                  0 if full else self.total_cap, *items)

    def check_put(self, tenant, status, dropped, before, was, full):
        counts = {t: int(self.get("HGET", f"in:{t}", "dropped") or 0) for t in TENANTS}
        assert sum(counts.values()) - sum(self.dropped.values()) == dropped
        self.dropped = counts
        after = self.order(tenant)
        if full:
            assert status == NOT_KEPT and not any(self.order(t) for t in TENANTS)
            return
        assert status == KEPT
        overflow = {s for name, old in was.items() for s in old[:max(0, len(old) + 1 - MOST)]}
        lost = [s for s in before if s not in after and s not in overflow]
        assert int(self.get("HGET", f"in:{tenant}", "sequence")) in after
        assert not lost or max(lost) < after[0], "not the oldest"

    def delete(self):
        tenant, name = self.rnd.choice(TENANTS), self.rnd.choice(["*", "r1", "r2"])
        upto = 0
        while True:
            upto, = self.store.scripts("inbox_delete", tenant, name, upto, 3)
            if not upto:
                break
        assert self.order(tenant, name) == []

    def read(self):
        tenant, name = self.rnd.choice(TENANTS), self.rnd.choice(["*", "r1"])
        found, before, rows = [], 0, True
        while rows:
            dropped, more, rows = self.store.scripts("inbox_list", tenant, name, before, 2, 3000)
            assert int(dropped) == self.dropped[tenant]
            found += rows[::3]
            assert len(found) <= len(self.order(tenant, name))
            sizes = [int(self.get("HGET", f"in_mail:{tenant}", entry.split()[1]).split()[3]) for entry in rows[1::3]]
            assert len(sizes) <= 2 and (len(sizes) <= 1 or sum(sizes) <= 3000)
            before = rows[-3] if rows and more else 0
            if not more:
                break
        assert found == self.order(tenant, name)[::-1]

    def pass_time(self):
        self.store.clock.move(self.rnd.choice([1000, 3_600_000, 12 * 3_600_000]))
        for tenant, end in zip(*[iter(self.get("ZRANGE", "in_end", 0, -1, "WITHSCORES"))] * 2):
            if int(end) <= self.store.clock.now:
                for key in self.client("KEYS", f"{ROOT}in*:{tenant}*"):
                    self.client("DEL", key)
                self.dropped[tenant] = 0

    # -- what must hold --

    def check(self):
        counted = self.bytes()
        for tenant in TENANTS:
            entries, mails = self.pairs(f"in_entry:{tenant}"), self.pairs(f"in_mail:{tenant}")
            assert sorted(map(int, entries)) == self.order(tenant)
            by_name, uses = {}, {}
            for sequence, entry in entries.items():
                head, name, _ = entry.split("\n")
                by_name.setdefault(name, set()).add(int(sequence))
                uses[head.split()[1]] = uses.get(head.split()[1], 0) + 1
            for name in NAMES:
                assert set(self.order(tenant, name)) == by_name.get(name, set()) and len(by_name.get(name, ())) <= MOST
            assert {m: int(line.split()[0]) for m, line in mails.items()} == uses
            kept = {f"{ROOT}in_c:{tenant}:{m}:{k}" for m, line in mails.items() for k in range(int(line.split()[1]))}
            assert set(self.client("KEYS", f"{ROOT}in_c:{tenant}:*")) == kept
            size = sum(len(e) + 400 for e in entries.values()) + sum(int(m.split()[2]) + 200 * int(m.split()[1]) for m in mails.values())
            if entries or tenant in counted and self.get("EXISTS", f"in:{tenant}"):
                assert counted.get(tenant, 0) == size, (tenant, counted, size)
            assert size <= self.cap
        assert int(self.get("GET", "in_total") or 0) == sum(counted.values()) <= self.total_cap

    def run(self, steps):
        for _ in range(steps):
            self.rnd.choices([self.put, self.delete, self.read, self.pass_time], [10, 1, 2, 1])[0]()
            self.check()


def run_all(store, seeds):
    for seed in seeds:
        store.client("FLUSHDB")
        store.clock.move(0)
        Inboxes(store, random.Random(seed)).run(120)


def test_test_inboxes_keep_to_their_bounds_in_any_order_of_steps(store):
    run_all(store, range(12))


def test_the_seeded_bugs_are_found(store):
    find_bugs(store, INBOX_BUGS, lambda broken: run_all(broken, range(12)))


if __name__ == "__main__":
    sys.exit(run_tests(sys.modules["__main__"]))

"""The actions of the random test: clients, relays that crash and return, supervisors, the keeper, a clock that jumps."""
import json
from collections import Counter, deque

import invariants
import rules
from installation import Installation
from scripts import ROOT, Clock
from snapshot import Reader, need
from world import DESTS, IDEMPOTENCY, PROJECTS, RETENTION, SITES, Message, World

PROGRESS = {"promote", "release", "expire", "sweep"}
DELAYS = (0, 10, 3000, 90_000)
FINAL = ("delivered", "bounced", "failed")


class Command:
    def __init__(self, name, args, messages=(), results=()):
        self.name, self.args, self.messages, self.results = name, args, messages, results
        first, step = {"dot": (4, 2), "settle": (2, 4), "giveback": (2, 5)}.get(name, (0, 0))
        self.jobs = list(zip(args[first::step], args[first + 1::step])) if step else []
        self.refs_once = len({ref for ref, _ in self.jobs}) == len(self.jobs)
        self.taken_at, self.learned = (args[4::5], args[5::5]) if name == "giveback" else ([], [])
        self.attempts = [text[2:text.index("\n")] if text.startswith("a ") else None for text in args[5::4]] if name == "settle" else []

    def __str__(self):
        return f"{self.now} {self.name} {self.args} -> {self.answer}"[:600]


class Relay:
    def __init__(self, name):
        self.name, self.jobs, self.request, self.last = name, {}, 0, None


class Actors:
    """One round on an empty store."""

    def __init__(self, client, scripts, rnd):
        self.client, self.scripts, self.rnd = client, scripts, rnd
        client("FLUSHDB")
        self.clock = Clock(client, 1_600_000_000_000 + rnd.randrange(10 ** 9))
        scripts("init_partition", rnd.choice((2, 1000)), "ins_test", 1)
        if rnd.random() < .5:
            client("HSET", ROOT + "weights", rnd.choice(PROJECTS), rnd.randint(2, 100))
        self.world, self.reader, self.done = World(), Reader(client), Counter()
        self.before = self.reader.read()
        self.taken_at = {}                     # (ref, epoch) -> the site where take found the job
        self.relays, self.dead, self.ghosts = [self.relay() for _ in range(3)], [], deque(maxlen=40)
        self.history, self.trace = deque(maxlen=60), deque(maxlen=12)
        self.limit, self.poison = rnd.randint(1, 4), rnd.choice((1, 2, 3, 5))
        self.has_backward_clock = rnd.random() < .3
        self.installation = Installation(client, scripts, rnd)
        self.actions = [(17, self.accept), (20, self.take), (14, self.dot), (19, self.settle), (5, self.settle_part), (7, self.giveback), (5, self.slot), (2, self.rest),
                        (6, self.promote), (5, self.release), (3, self.release_dead), (3, self.expire), (3, self.cancel), (2, self.retry), (1, self.sweep),
                        (2, self.transcript),
                        (2, self.crash), (6, self.old_command), (2, self.take_again), (2, self.forget), (1, self.change_limit), (1, self.change_suppressed), (1, self.change_projects), (9, self.tick)]
        self.weights = [w for w, _ in self.actions]

    def relay(self):
        self.done["relays"] += 1
        return Relay(f"w{self.done['relays']}")

    # ---- running and checking ----

    def run(self, command):
        """Runs it, sometimes twice at once, and holds the store against every rule."""
        self.before_words(command)
        command.now = self.clock.now
        command.answer = self.scripts(command.name, *command.args)
        self.trace.append(command)
        self.count(command)
        is_full = command.name == "accept" and 7 in command.answer[::4]    # run again, there may be room
        is_mixed = command.name == "settle" and not command.refs_once    # a relay has one result for an attempt
        if command.name not in PROGRESS and not is_full and not is_mixed and self.rnd.random() < .12:
            self.again(command)
        after = self.reader.read()
        if command.name == "accept":
            self.world.expect_accept(self.before, command.args[0], command.messages, command.answer, command.now)
            for message_id in after.records.keys() - self.before.records.keys():
                self.world.check_accepted(message_id, after, command.now)
        if command.name == "slot":
            for site, count in zip(command.args[2::2], command.args[3::2]):
                self.world.close(command.args[0], site, count)
        if command.name == "giveback":
            self.learn(command)
        rules.check(self.before, after, command, self.world)
        invariants.check(after, self.world)
        self.before = after
        return command.answer

    def count(self, command):
        self.done[command.name] += 1
        if command.name in ("accept", "settle", "dot", "giveback"):
            step, first = (4, 0) if command.name == "accept" else (1, command.name == "dot")
            for status in command.answer[first::step]:
                self.done[f"{command.name}={status}"] += 1

    def before_words(self, command):
        """Chunks are written before the accept that names them, and expire after a while."""
        for m in command.messages:
            if m.id not in self.world.messages:
                for k, text in list(m.chunks.items())[int(m.is_missing_chunks):]:
                    self.client("SET", f"{ROOT}c:{m.id}:{k}", text, "PX", 3_600_000)
        if any(m.chunks for m in command.messages):
            self.before = self.reader.read()

    def again(self, command):
        digest = self.client("DEBUG", "DIGEST")
        answer = self.scripts(command.name, *command.args)
        need(self.client("DEBUG", "DIGEST") == digest, command.name, "run again changed the store", command.args)
        self.done["run again"] += 1
        want = command.answer
        if command.name == "take":
            answer, want = answer[:3], want[:3]
        elif command.name == "settle":         # applied becomes applied before; so does a late delivery, if no later attempt was settled
            want = [a if a in (0, 2) and was == 3 or a == was == 1 and delay == -1 else {1: 2, 3: None}.get(was, was)
                    for was, a, delay in zip(want, answer, command.args[4::4])]
        elif command.name == "accept":
            want = list(want)
            taken = {(m.project, m.idempotency): want[4 * i + 1] for i, m in enumerate(command.messages) if want[4 * i] == 1 and m.idempotency}
            for i, m in enumerate(command.messages):
                first = taken.get((m.project, m.idempotency))
                if want[4 * i] in (5, 6) and first and answer[4 * i] in (2, 3):
                    want[4 * i:4 * i + 4] = [answer[4 * i], first, 0, ""]
        elif command.name == "retry":
            want = want if want[0] < 0 or want[3] else [0, want[1], want[0] + want[2], 0]
        elif command.name == "giveback":
            want = [0] * len(want)
        elif command.name == "cancel":
            seen = {i for i, over in enumerate(want[::2]) if over > 0}
            want = [0 if i % 2 == 0 and i // 2 in seen else v for i, v in enumerate(want)]
        need(answer == want, command.name, "run again answered", answer, "after", want)

    def learn(self, command):
        seen = set()
        for (ref, _), given, site in zip(command.jobs, command.answer, command.learned):
            if not given or not site:
                continue
            dest = self.before.records[ref[:-3]].jobs[int(ref[-3:], 16)].dest
            if dest.startswith("sink/") or dest in seen:
                continue
            seen.add(dest)
            self.world.sites.pop(dest, None)
            if site != dest:
                self.world.sites[dest] = site

    def step(self):
        self.rnd.choices([a for _, a in self.actions], self.weights)[0]()

    # ---- clients ----

    def accept(self):
        if sum(1 for m in self.before.records.values() if m.open) > 40:
            return
        now, rnd = self.clock.now, self.rnd
        messages = [Message(rnd, now) for _ in range(rnd.randint(1, 3))]
        for m in messages:
            if rnd.random() < .08:
                m.damage(rnd)
        if rnd.random() < .03:
            messages.append(messages[0])
        late = rnd.choice((0, now + 1000, now + 1000, now, now - 5))
        args = [late, IDEMPOTENCY, RETENTION] + [w for m in messages for w in m.words()]
        command = Command("accept", args, messages=messages)
        answer = self.run(command)
        self.history.append(command)
        for m, status in zip(messages, answer[::4]):
            if status == 1 and m.chunks and m.id in self.before.chunks:
                need(self.client("PTTL", f"{ROOT}c:{m.id}:0") == -1, "a chunk of an accepted message expires", m.id)

    def cancel(self):
        ids = sorted(self.before.records)
        if ids:
            args = [RETENTION] + self.rnd.choices(ids, k=self.rnd.randint(1, 3)) + (["msg_none"] if self.rnd.random() < .1 else [])
            self.remember(Command("cancel", args))

    def change_suppressed(self):
        """The API puts addresses on a project's list and takes them off."""
        rnd, listed = self.rnd, [(tenant, email) for tenant, emails in self.before.suppressed.items() for email in emails]
        if listed and (len(listed) > 4 or rnd.random() < .5):
            tenant, email = rnd.choice(listed)
            self.scripts("suppression_remove", tenant, email, self.clock.now + abs(self.world.stepped_back) + 10, rnd.choice((0, 86_400_000)))
        else:
            tenant, email = rnd.choice(PROJECTS), f"u{rnd.randint(0, 3)}@{rnd.choice(DESTS)}"
            if listed and rnd.random() < .5:   # it takes the place of an entry, perhaps of one by a bounce
                tenant, email = rnd.choice(listed)
            now, _, gone, _ = self.scripts("suppression_look", tenant, email)
            self.scripts("suppression_put", tenant, email, json.dumps({"reason": "manual", "at": str(max(now, gone + 1))}))
        self.before = self.reader.read()

    def retry(self):
        ids = [i for i, m in self.before.records.items() if m.open] if self.rnd.random() < .9 else list(self.before.records)
        if self.rnd.random() < .5:             # often the same
            ids = [i for i in ids if i in self.before.retried] or ids
        if ids:
            self.done["retries"] += 1
            self.remember(Command("retry", [RETENTION, self.rnd.choice((1, 10_000)), f"q{self.done['retries']}", self.rnd.choice(sorted(ids))]))

    def remember(self, command):
        self.run(command)
        self.history.append(command)

    def old_command(self):
        if self.history:
            old = self.rnd.choice(self.history)
            if any(m.id in self.world.messages and self.world.messages[m.id].is_swept for m in old.messages):
                return
            self.done["old command"] += 1
            self.run(Command(old.name, old.args, old.messages, old.results))

    # ---- relays ----

    def take(self, relay=None, n=None):
        rnd, relay = self.rnd, relay or self.rnd.choice(self.relays)
        relay.request += 1
        args = [relay.name, f"{relay.name}-{relay.request}", n or rnd.randint(1, 12), rnd.choice((1000, 5000, 1 << 20)),
                rnd.choice((500, 5000, 60_000)), rnd.choice((3000, 60_000)), self.limit, rnd.randint(0, 4), rnd.choice((0, 0, 2)),
                " ".join(rnd.sample(PROJECTS, rnd.choice((0, 0, 0, 1, 2)))), 100, 200, RETENTION, int(rnd.random() < .2)]
        for site, count in self.world.owned.get(relay.name, {}).items():
            if rnd.random() < .8:
                args += [site, rnd.randint(0, count), rnd.randint(0, 2), rnd.choice((count, count, count + 1, rnd.randint(0, count)))]
        relay.last = args
        answer = self.run(Command("take", args))
        if rnd.random() < .95:
            self.receive(relay, answer)

    def receive(self, relay, answer):
        for ref, epoch, site, *_ in zip(*[iter(answer[2])] * 5):
            relay.jobs[ref], self.taken_at[ref, epoch] = epoch, site

    def take_again(self):
        """The reply was lost, and the request is sent again later."""
        relay = self.rnd.choice(self.relays)
        if not relay.last:
            return
        last = self.before.last.get(relay.name, "")
        if not last.startswith(relay.last[1] + "\n"):
            return self.run(Command("take", relay.last))
        answer = self.scripts("take", *relay.last)
        want = [ref for line in [last.split("\n")[2]] if line for ref in line.split(" ")[::2]
                if self.before.leases.get(ref, ("", "", ""))[2] == relay.name]
        got = list(zip(*[iter(answer[2])] * 5))
        need([g[0] for g in got] == want, "take again: jobs", got, want)
        need(all(self.before.leases[ref][0] == epoch for ref, epoch, *_ in got), "take again: epochs", got)
        need(all(g[3] == self.before.records[g[0][:-3]].text for g in got), "take again: records")
        self.receive(relay, answer)
        self.done["take again"] += 1

    def some_jobs(self):
        """Jobs of one relay, or of one that crashed and still sends calls."""
        rnd = self.rnd
        if self.ghosts and rnd.random() < .12:
            owner, ref, epoch = rnd.choice(self.ghosts)
            return None, owner, [(ref, epoch)]
        relay = rnd.choice(self.relays)
        if not relay.jobs:
            return relay, relay.name, []
        if rnd.random() < .03:                 # it says what is not its own
            return None, rnd.choice(self.relays).name, [rnd.choice(sorted(relay.jobs.items()))]
        ended = [job for job in sorted(relay.jobs.items()) if self.has_ended(job[0])]
        if ended and rnd.random() < .3:
            return relay, relay.name, ended[:1]
        return relay, relay.name, rnd.sample(sorted(relay.jobs.items()), min(len(relay.jobs), rnd.randint(1, 3)))

    def has_ended(self, ref):
        """The job has ended while a relay had it: by a late delivery, a cancel or its deadline."""
        m = self.before.records.get(ref[:-3])
        return m is None or m.jobs[int(ref[-3:], 16)].open == 0

    def dot(self):
        relay, owner, jobs = self.some_jobs()
        if not jobs:
            return
        if self.rnd.random() < .05:
            jobs = [(ref, epoch + self.rnd.choice((-1, 1))) for ref, epoch in jobs]
        args = [owner, self.rnd.choice((3000, 660_000)), self.rnd.choice((1, 1, 0)), self.rnd.choice((3000, 60_000))]
        self.remember(Command("dot", args + [w for job in jobs for w in job]))

    def results(self, ref, outcome=None):
        rnd = self.rnd
        m = self.before.records.get(ref[:-3])
        outcomes = [outcome] if outcome else ["delivered", "delivered", "delivered", "bounced", "deferred", "failed"]
        if rnd.random() < .3 and not outcome:
            outcomes = ["delivered"]
        numbers = [r for r, o in enumerate(m.recipients) if o.job == int(ref[-3:], 16)] if m else [0]
        if not outcome and rnd.random() < .1:
            numbers = [r for r in numbers if rnd.random() < .5] + [99]
        return [(r, rnd.choice(outcomes), rnd.choice((250, 450, 550)), rnd.choice(("-", "-", "dup", "dup", "sup")), rnd.choice(("", "2.0.0 ok", "said: no"))) for r in numbers]

    def settle(self):
        relay, owner, jobs = self.some_jobs()
        if not jobs:
            return
        if self.rnd.random() < .02:
            jobs.append(jobs[0])
        self.settle_jobs(owner, jobs)
        if relay and self.rnd.random() < .9:
            for ref, _ in jobs:
                relay.jobs.pop(ref, None)

    def settle_part(self):
        """Final results of some recipients; the relay goes on with the others."""
        _, owner, jobs = self.some_jobs()
        if jobs:
            self.settle_jobs(owner, jobs, self.rnd.choice(FINAL), is_of_part=True)

    def settle_jobs(self, owner, jobs, outcome=None, is_of_part=False):
        args, results = [owner, RETENTION], []
        for i, (ref, epoch) in enumerate(jobs):
            is_part = is_of_part or (ref, epoch) in jobs[i + 1:] and self.rnd.random() < .5
            results.append(self.results(ref, outcome or is_part and self.rnd.choice(FINAL) or None))
            if is_part:
                results[-1] = [r for r in results[-1] if self.rnd.random() < .5]
            attempt = self.rnd.choice(("", f"a at {self.clock.now}\n", f"a at {self.clock.now} {self.rnd.random()}\n"))
            args += [ref, epoch, -1 if is_part else self.rnd.choice(DELAYS), attempt + "".join(f"{r} {o} {c} {d} {t}\n" for r, o, c, d, t in results[-1])]
        self.remember(Command("settle", args, results=results))

    def transcript(self):
        """Stores the transcript after the store took the result; the message may be gone."""
        ids = sorted(self.before.transcripts) if self.rnd.random() < .5 else sorted(self.before.records)
        me = self.rnd.choice(ids[:3] + ids[-10:] or ["msg_none"]) if self.rnd.random() < .9 else "msg_none"
        name = f"{self.rnd.randint(0, 3)} {self.rnd.randint(1, 12)} "
        self.remember(Command("transcript", [self.rnd.choice((20, 2)), RETENTION, me, name, "said"]))

    def giveback(self):
        relay, owner, jobs = self.some_jobs()
        if not jobs:
            return
        if self.rnd.random() < .02:
            jobs.append(jobs[0])
        args = [owner, 86400]
        for ref, epoch in jobs:
            m = self.before.records.get(ref[:-3])
            own = m.jobs[int(ref[-3:], 16)].dest if m else ""
            args += [ref, epoch, self.taken_at[ref, epoch], self.rnd.choice(SITES + (own,)), self.rnd.choice((0, 0, 2000))]
            if relay:
                relay.jobs.pop(ref, None)
        self.remember(Command("giveback", args))

    def slot(self):
        relay = self.rnd.choice(self.relays)
        owned = self.world.owned.get(relay.name)
        relay.request += 1
        args = [relay.name, f"{relay.name}-{relay.request}"]
        for site, count in list((owned or {"mx.one": 0}).items()):
            if self.rnd.random() < .6:
                args += [site, self.rnd.randint(1, count + 1)]
        self.run(Command("slot", args))

    def rest(self):
        """A relay could not reach a site, or was sent away from it."""
        known = sorted({site for _, _, site in self.before.turns} | set(self.before.slots))
        if known:
            self.remember(Command("rest", [self.rnd.choice(known), 2000, self.rnd.choice((2000, 60_000)), self.rnd.randrange(1000), 421, "not tried: busy"]))

    def crash(self):
        relay = self.relays.pop(self.rnd.randrange(len(self.relays)))
        self.ghosts.extend((relay.name, ref, epoch) for ref, epoch in relay.jobs.items())
        self.dead.append(relay.name)
        self.relays.append(self.relay())
        self.done["crash"] += 1

    # ---- supervisor and keeper ----

    def promote(self, n=None):
        return self.run(Command("promote", [n or self.rnd.randint(1, 10)]))

    def release(self, n=None, dead=""):
        args = [n or self.rnd.randint(1, 10), RETENTION, 3000, self.poison, dead, self.rnd.randrange(1000)]
        return self.run(Command("release", args))

    def release_dead(self):
        if not self.dead:
            if self.rnd.random() < .1:
                self.release(dead=self.rnd.choice(self.relays).name)
            return
        owner = self.rnd.choice(self.dead)
        if not self.release(dead=owner)[5]:
            self.dead.remove(owner)

    def expire(self, n=None):
        return self.run(Command("expire", [n or self.rnd.randint(1, 10), RETENTION]))

    def sweep(self, n=None):
        return self.run(Command("sweep", [n or self.rnd.randint(1, 10), RETENTION, *PROJECTS]))

    # ---- the world around ----

    def tick(self):
        ms = self.rnd.choice((1, 10, 100, 1000, 1000, 1000, 3000, 5000, 20_000, 70_000, 70_000, 400_000))
        if self.has_backward_clock and self.rnd.random() < .1:
            ms = -self.rnd.choice((5, 3000, 200_000, 4_000_000))
            self.world.stepped_back -= ms
        self.clock.move(ms)

    def change_limit(self):
        self.limit = self.rnd.randint(1, 4)

    def change_projects(self):
        """No change of a project, not even its deletion, changes a partition."""
        for _ in range(self.rnd.randint(1, 20)):
            self.installation.step()
        self.done["projects"] += 1
        need({**vars(self.reader.read()), "log": 0} == {**vars(self.before), "log": 0}, "a change of projects changed a partition")

    def forget(self):
        """Deletes the keys whose time to live has passed."""
        kind, names = self.rnd.choice((("site", list(self.world.sites)), ("i", list(self.world.idempotency)), ("last", sorted(self.before.last)), ("rest", sorted(self.before.rests))))
        if not names:
            return
        name = self.rnd.choice(names)
        if kind == "site":
            del self.world.sites[name]
        elif kind == "i":
            del self.world.idempotency[name]
            name = ":".join(name)
        self.client("DEL", f"{ROOT}{kind}:{name}")
        self.before = self.reader.read()
        self.done["forget"] += 1

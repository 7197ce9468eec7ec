"""The state that the test expects: messages, idempotency records, owners and their connections. Also makes messages."""
from hashlib import sha1

from snapshot import LANES, Record, need

DESTS = ("a.ex", "b.ex", "c.ex", "d.ex")
SITES = ("", "", "mx.one", "mx.two", "a.ex", "b.ex")
PROJECTS = ("1", "2", "2t")
RETENTION = 7_200_000
IDEMPOTENCY = 86_400_000


class Message:
    """One message as the API would hand it to accept."""

    def __init__(self, rnd, now):
        self.id = "msg_%026x" % rnd.getrandbits(100)
        self.lane, self.project = rnd.choice(LANES), rnd.choice(PROJECTS)
        self.mode = "test" if rnd.random() < .2 else "live"
        self.unknown = rnd.choice(("-", "fail", "other,fail"))
        self.within = rnd.choice((3000, 40_000, 100_000, 3_600_000, 3_600_000))
        self.start = rnd.choice((0, 0, 0, now - 5, now + 4000))
        self.idempotency = rnd.choice(("", "", f"k{rnd.randint(0, 9)}"))
        self.fingerprint = rnd.choice(("fp-a", "fp-b"))
        emails = [f"{rnd.choice('uU')}{i}@{rnd.choice(DESTS)}" for i in range(rnd.choice((1, 1, 1, 1, 2, 3, 4)))]
        domains = list(dict.fromkeys(e.split("@")[1] for e in emails))
        self.dests = ["sink/" + d if self.mode == "test" else d for d in domains]
        state = "scheduled" if self.start > now else "queued"
        self.job_lines = "".join(f"{sum(e.endswith('@' + d) for e in emails)} 0 0 0 {dest}\n" for d, dest in zip(domains, self.dests))
        self.recipient_lines = "".join(f"{state} {domains.index(e.split('@')[1])} 0 0 0 0 {e}\n" for e in emails)
        self.facts, self.content, self.chunks = '{"subject":"x"}', "C" * rnd.randint(1, 40), {}
        self.bytes, self.emails = rnd.choice((100, 1000, 3000)), emails
        self.marks = "".join(sha1(e.lower().encode()).hexdigest()[:6] for e in emails)
        self.suppressed = ""
        self.max_messages, self.max_bytes = rnd.choice((0, 0, 0, 5, 20)), rnd.choice((0, 0, 0, 20_000, 60_000))
        self.tags = rnd.sample(("order", "reset", "x:y"), rnd.choice((0, 0, 1, 2)))
        self.tag_marks = "".join(sha1(t.encode()).hexdigest()[:6] for t in self.tags)
        self.is_malformed = self.is_swept = self.is_missing_chunks = False
        if rnd.random() < .1:
            self.chunks, self.content = {k: f"part {k} of {self.id}" for k in range(rnd.randint(1, 3))}, ""
            self.is_missing_chunks = rnd.random() < .2
        self.head = f"{self.lane} {self.mode} {self.unknown} {self.project} {self.within} {self.start} {self.bytes} {len(self.chunks)} s@x.ex"

    def damage(self, rnd):
        """Makes it something that accept must refuse whole."""
        self.is_malformed = True
        name, text = rnd.choice((("head", self.head + " more"), ("head", self.head.replace(self.lane, "fast", 1)), ("head", ""),
                                 ("job_lines", ""), ("job_lines", self.job_lines + "0 0 0 0 z.ex\n"), ("job_lines", self.job_lines + "x"),
                                 ("job_lines", self.job_lines + "1 0 0 0 z.ex\n"), ("recipient_lines", ""),
                                 ("recipient_lines", self.recipient_lines * 2), ("recipient_lines", self.recipient_lines.replace(" 0 0 0 0 ", " 0 0 0 0 u ", 1)),
                                 ("recipient_lines", self.recipient_lines[:-1]), ("facts", ""), ("facts", "{}\n"),
                                 ("marks", self.marks[:-1]), ("marks", self.marks + "0" * 6), ("marks", "g" + self.marks[1:]), ("tag_marks", self.tag_marks + "0"), ("tag_marks", "x" * 6),
                                 ("recipient_lines", self.recipient_lines.replace("queued 0", "queued 7", 1).replace("scheduled 0", "scheduled 7", 1)),
                                 ("head", self.head.replace(" live ", " test ") if self.mode == "live" else self.head.replace(" test ", " live "))))
        setattr(self, name, text)
        return self

    def find_excess(self, n, size, now):
        """The limit that the message would exceed if its project has n messages of this size; "": none."""
        if 0 < self.max_messages <= n:
            return f"queued {n}"
        return f"bytes {size}" if 0 < self.max_bytes < size + self.new_record(now).queued_bytes() else ""

    def find_suppressed(self, lists):
        """The suppressed recipients that accept must return and write into the facts."""
        listed = lists.get(self.project, {})
        numbers = [r for r, email in enumerate(self.emails) if email.lower() in listed]
        self.suppressed = str(numbers).replace(" ", "") if numbers else ""
        return self.suppressed

    def new_record(self, now):
        """The record that accept must write, before it ends suppressed recipients."""
        deadline = (self.start if self.start > now else now) + self.within
        n = len(self.emails)
        return Record(self.id, f"1 {self.lane} {self.mode} {self.unknown} {self.project} {now} {deadline} {n} 1 {len(self.dests)} {n} {self.bytes} {len(self.chunks)} "
                               f"s@x.ex\n{self.job_lines}{self.recipient_lines}{self.facts}\n1 queued - {now} 0 - \n")

    def words(self):
        return [self.id, self.head, self.idempotency, self.fingerprint, self.job_lines, self.recipient_lines, self.facts, self.marks, self.tag_marks,
                self.max_messages, self.max_bytes,
                self.content]


class World:
    def __init__(self):
        self.messages, self.idempotency, self.sites = {}, {}, {}
        self.owned, self.silent, self.granted, self.logged = {}, set(), {}, {}
        self.malformed = set()
        self.kept = {}                         # hour of the end of their retention -> finished messages -> (tenant, bytes)
        self.retries = set()
        self.n_granted = self.stepped_back = self.looks = 0
        self.min_retention = RETENTION

    def open(self, owner, site, count):
        slots = self.owned.setdefault(owner, {})
        slots[site] = slots.get(site, 0) + count

    def close(self, owner, site, count):
        slots = self.owned.get(owner, {})
        if site in slots:
            slots[site] -= min(count, slots[site])
            if not slots[site]:
                del slots[site]
        if not slots:
            self.owned.pop(owner, None)

    def bury(self, owner):
        self.owned.pop(owner, None)
        self.silent.add(owner)

    def expect_accept(self, before, late, messages, answer, now):
        """Checks the reply of accept, and adds the accepted messages."""
        chunks, used = before.chunks, dict(before.usage)
        for m, (status, stands, at, stopped) in zip(messages, zip(*[iter(answer)] * 4), strict=True):
            key, listed = (m.project, m.idempotency), ""
            if m.is_malformed:    # whatever the status: the number of its chunks cannot be read
                self.malformed.add(m.id)
            known = self.messages.get(m.id)
            if known:
                want, listed = (1, m.id, before.records[m.id].accepted if m.id in before.records else now), m.suppressed
            elif m.idempotency and m.head and key in self.idempotency:
                fingerprint, first = self.idempotency[key]
                want = (2 if fingerprint == m.fingerprint else 3, first, 0)
            elif late and now > late:
                want = (4, m.id, 0)
            elif m.is_malformed:
                want = (5, m.id, 0)
            elif chunks.get(m.id, {}).keys() != m.chunks.keys():
                want = (6, m.id, 0)
            elif full := m.find_excess(*used.get(m.project, (0, 0)), now):
                want, listed = (7, m.id, 0), full
            else:
                want, listed = (1, m.id, now), m.find_suppressed(before.suppressed)
                self.messages[m.id] = m
                n, size = used.get(m.project, (0, 0))
                used[m.project] = (n + 1, size + m.new_record(now).queued_bytes())
                if m.idempotency:
                    self.idempotency[key] = (m.fingerprint, m.id)
            need((status, stands, at, stopped) == (*want, listed), "accept answered", status, stands, at, stopped, "not", want, listed)

    def check_accepted(self, message_id, after, now):
        """Checks that a new record has the requested fields in the right places."""
        m, message = after.records[message_id], self.messages[message_id]
        start = message.start if message.start > now else 0
        facts = message.facts[:-1] + f',"suppressed":{message.suppressed}' + "}" if message.suppressed else message.facts
        need((m.lane, m.mode, m.unknown, m.project, m.accepted, m.deadline, m.bytes, m.chunks, m.facts)
             == (message.lane, message.mode, message.unknown, message.project, now, (start or now) + message.within, message.bytes,
                 len(message.chunks), facts), "record of", message_id)
        need([job.dest for job in m.jobs] == message.dests, "destinations of", message_id)
        message.accepted, stopped = now, after.suppressed.get(m.project, {})
        for r in m.recipients:
            want = "suppressed" if r.email.lower() in stopped else message.recipient_lines.split(" ")[0]
            need(r.state == want, "recipient", r.line, "is not", want)
        for j, job in enumerate(m.jobs):
            if job.open == 0:
                continue
            ref = f"{message_id}{j:03x}"
            need(after.due.get(ref) == start if start else ref in after.place, "new job is nowhere", ref)

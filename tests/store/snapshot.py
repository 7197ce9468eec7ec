"""Reads the whole store in one call, and the records in it: written against lib/keys.txt and lib/record.lua, using neither."""
import json

from scripts import ROOT

DUMP = """
local root, last, out = KEYS[1], {}, {}
for i = 1, #ARGV, 2 do last[ARGV[i]] = '(' .. ARGV[i + 1] end
for _, k in ipairs(redis.call('KEYS', root .. '*')) do
	local t, name, v = redis.call('TYPE', k).ok, string.sub(k, #root + 1)
	if t == 'string' then v = redis.call('GET', k)
	elseif t == 'list' then v = redis.call('LRANGE', k, 0, -1)
	elseif t == 'set' then v = redis.call('SMEMBERS', k)
	elseif t == 'hash' then v = redis.call('HGETALL', k)
	elseif t == 'zset' then v = redis.call('ZRANGE', k, 0, -1, 'WITHSCORES')
	else v = redis.call('XRANGE', k, last[name] or '-', '+') end
	out[#out + 1] = { name, t, v }
end
return cjson.encode(out)
"""
OPEN = {"queued", "scheduled", "deferred", "held"}
TERMINAL = {"delivered", "bounced", "expired", "canceled", "suppressed", "failed"}
LANES = ("otp", "normal", "bulk")


class Violation(Exception):
    pass


def need(claim, *words):
    if not claim:
        raise Violation(" ".join(str(w) for w in words))


class Job:
    __slots__ = ("open", "crashes", "epoch", "settled", "dest", "states", "is_held")


class Recipient:
    __slots__ = ("state", "job", "attempts", "code", "at", "n", "email", "line")


class Record:
    """A message's record. Construction checks all that can be checked from the record alone."""

    def __init__(self, message_id, text):
        self.id, self.text = message_id, text
        need(text.endswith("\n"), message_id, "record has no end")
        lines = text[:-1].split("\n")
        head = lines[0].split(" ")
        need(len(head) == 14 and head[0] == "1", message_id, "head", head)
        self.lane, self.mode, self.unknown, self.project = head[1:5]
        self.accepted, self.deadline, self.open, self.n, jobs, recipients, self.bytes, self.chunks = map(int, head[5:13])
        self.sender = head[13]
        self.fixed = (head[1:7], head[9:])
        self.jobs = [self.job(line) for line in lines[1:1 + jobs]]
        self.recipients = [self.recipient(line) for line in lines[1 + jobs:1 + jobs + recipients]]
        self.facts = lines[1 + jobs + recipients]
        self.events, self.attempts = [], []
        for line in lines[2 + jobs + recipients:]:
            if line.startswith("a "):
                self.attempts.append(self.attempt(line))
            else:
                self.events.append(self.event(line))
        self.check()

    @staticmethod
    def job(line):
        j, words = Job(), line.split(" ")
        need(len(words) == 5, "job line", line)
        j.open, j.crashes, j.epoch, j.settled = map(int, words[:4])
        j.dest, j.states = words[4], []
        return j

    def recipient(self, line):
        r, words = Recipient(), line.split(" ")
        need(len(words) == 7, "recipient line", line)
        r.state, r.email, r.line = words[0], words[6], line
        r.job, r.attempts, r.code, r.at, r.n = map(int, words[1:6])
        self.jobs[r.job].states.append(r.state)
        return r

    @staticmethod
    def event(line):
        words = line.split(" ", 6)
        need(len(words) == 7, "event line", line)
        return (int(words[0]), words[1], None if words[2] == "-" else int(words[2]), int(words[3]), int(words[4]), words[5], words[6])

    def attempt(self, line):
        """(job, epoch, numbers of the events that it caused, the relay's line)"""
        words = line.split(" ", 4)
        need(len(words) == 5 and words[4], "attempt line", line)
        job, epoch, n = map(int, words[1:4])
        need(1 <= n < len(self.events), "events of an attempt", line)
        return (job, epoch, tuple(e[0] for e in self.events[-n:]), words[4])

    def check_attempts(self):
        me, told = self.id, set()
        need(len(self.attempts) <= 20, me, "keeps attempts", len(self.attempts))
        for job, epoch, numbers, _ in self.attempts:
            need(epoch <= self.jobs[job].epoch, me, "an attempt of epoch", epoch, "of", self.jobs[job].epoch)
            need(not told & set(numbers), me, "an event of two attempts", numbers)
            told |= set(numbers)
            for e in (self.events[n - 1] for n in numbers):
                need(e[2] is not None and self.recipients[e[2]].job == job, me, "an attempt with another's event", e)
                need(e[1] in ("delivered", "deferred", "bounced", "failed"), me, "an attempt led to", e)

    def check(self):
        me = self.id
        self.check_attempts()
        need(self.lane in LANES and self.mode in ("live", "test") and self.unknown in ("-", "fail", "other,fail"), me, "head words")
        need([e[0] for e in self.events] == list(range(1, self.n + 1)), me, "events are not 1..n", self.n, self.events)
        need(self.events[0][1:3] == ("queued", None), me, "first event")
        last = {}
        for e in self.events[1:]:
            need(last.get(e[2], ("", "queued"))[1] not in TERMINAL, me, "an event after a terminal one", e)
            last[e[2]] = e
        for i, r in enumerate(self.recipients):
            need(r.state in OPEN or r.state in TERMINAL, me, "state", r.state)
            e = last.pop(i, None)
            if e:
                need((e[1], e[0], e[3], e[4]) == (r.state, r.n, r.at, r.code), me, "recipient", i, r.line, "does not match its last event", e)
            else:
                need(r.state in ("queued", "scheduled") and r.attempts == r.code == r.n == 0, me, "recipient", i, r.line, "has no event")
        need(not last, me, "events of nobody", last)
        total = 0
        for j, job in enumerate(self.jobs):
            open_states = [s for s in job.states if s in OPEN]
            need(job.states and len(open_states) == job.open, me, "open count of job", j, job.open, job.states)
            total += job.open
            job.is_held = "held" in open_states
            need(not job.is_held or set(open_states) == {"held"}, me, "job", j, "is held in part", job.states)
            need(job.settled <= job.epoch, me, "settled epoch above epoch", j)
            need((self.mode == "test") == job.dest.startswith("sink/"), me, "mode and destination", self.mode, job.dest)
        need(total == self.open, me, "open count", self.open, total)


    def kept_bytes(self):
        """The bytes that count for a finished message, as in lib/change.lua."""
        return len(self.text) + 1000 + 100 * len(self.recipients) + 200 * len(self.jobs)

    def queued_bytes(self):
        return self.kept_bytes() + self.bytes + 700 * len(self.jobs)


def pairs(flat):
    return zip(flat[::2], flat[1::2])


class Snapshot:
    """The store at one moment; log: entries since the last snapshot, as (project, id, n)."""

    def __init__(self):
        self.records, self.contents, self.chunks, self.idempotency, self.transcripts = {}, {}, {}, {}, {}
        self.queues, self.turns, self.site_projects, self.active = {}, {}, {}, {}
        self.lane_projects = {lane: {} for lane in LANES}
        self.ready, self.otp_waiting, self.last_turns, self.weights = {}, {}, {}, {}
        self.full, self.sites, self.slots, self.owned, self.owners, self.last, self.rests = set(), {}, {}, {}, {}, {}, {}
        self.asked, self.retried = {}, {}
        self.leases, self.ends, self.due = {}, {}, {}
        self.wheel, self.retention, self.log, self.numbers = {}, {}, [], {}
        self.damaged, self.hungry = [], False
        self.lists, self.suppressed, self.suppressed_at, self.suppressed_new, self.suppressed_gone = {}, {}, {}, set(), set()
        self.suppressed_bounced = {}
        self.cut, self.usage, self.kept = {}, {}, {}

    def index(self):
        """What the rules ask for often."""
        self.place, self.stand = {}, {}
        for key, refs in self.queues.items():
            for ref in refs:
                need(ref not in self.place, "ref twice in the ready lists", ref)
                self.place[ref] = key
        for (lane, project, site), dests in self.turns.items():
            for d in dests:
                need((lane, project, d) not in self.stand, "destination has two turns", lane, project, d)
                self.stand[lane, project, d] = site
        return self

    def site_of(self, dest):
        return "sink" if dest.startswith("sink/") else self.sites.get(dest, dest)


class Reader:
    """Makes snapshots; keeps parsed records and stream positions."""

    KINDS = {"m": "string", "c": "string", "t": "list", "i": "string", "q": "list", "p": "zset", "d": "list", "act": "zset", "full": "set",
             "site": "string", "slots": "hash", "rest": "string", "asked": "set", "retried": "string", "owners": "zset", "last": "string", "lease": "hash", "lease_end": "zset",
             "due": "zset", "x": "list", "ret": "list", "ev": "stream", "cut": "hash", "usage": "hash", "kept": "hash", "damaged": "list", "x_cursor": "string",
             "ret_cursor": "string", "l": "list", "sup": "hash", "sup_at": "zset", "sup_new": "zset", "sup_bounced": "zset", "sup_gone": "string", "turns": "hash", "weights": "hash", "otp_waiting": "hash", "otp_limit": "string", "instance": "string", "otp_late": "string", "taken": "string", "ready": "hash", "hungry": "string"}

    def __init__(self, client):
        self.client, self.sha = client, client("SCRIPT", "LOAD", DUMP)
        self.positions, self.parsed = {}, {}

    def read(self):
        s, fresh = Snapshot(), {}
        words = [w for kv in self.positions.items() for w in kv]
        text = self.client("EVALSHA", self.sha, 1, ROOT, *words)
        for name, kind, value in json.loads(text):
            family, _, rest = name.partition(":")
            need(self.KINDS.get(family) == kind, "unexpected key", name, kind)
            if family == "m":
                known = self.parsed.get(rest)
                s.records[rest] = fresh[rest] = known if known and known.text == value else Record(rest, value)
            else:
                getattr(self, "key_" + family)(s, rest, value)
        self.parsed = fresh
        return s.index()

    @staticmethod
    def key_c(s, rest, value):
        message_id, _, chunk = rest.partition(":")
        if chunk:
            s.chunks.setdefault(message_id, {})[int(chunk)] = value
        else:
            s.contents[message_id] = value

    @staticmethod
    def key_i(s, rest, value):
        s.idempotency[tuple(rest.split(":"))] = tuple(value.split(" "))

    @staticmethod
    def key_q(s, rest, value):
        s.queues[tuple(rest.split(":", 2))] = value

    @staticmethod
    def key_p(s, rest, value):
        s.site_projects[tuple(rest.split(":", 1))] = {project: float(score) for project, score in pairs(value)}

    @staticmethod
    def key_d(s, rest, value):
        s.turns[tuple(rest.split(":", 2))] = value

    @staticmethod
    def key_act(s, rest, value):
        lane, _, project = rest.partition(":")
        if project:
            s.active[lane, project] = {site for site, _ in pairs(value)}
        else:
            s.lane_projects[lane] = {project: float(score) for project, score in pairs(value)}

    @staticmethod
    def key_ready(s, _, value):
        s.ready = {lane: int(n) for lane, n in pairs(value) if n != "0"}

    @staticmethod
    def key_full(s, _, value):
        s.full = set(value)

    @staticmethod
    def key_rest(s, rest, value):
        till, failures, code, text = value.split(" ", 3)
        s.rests[rest] = (int(till), int(failures), code, text)

    @staticmethod
    def key_asked(s, rest, value):
        s.asked[rest] = set(value)

    @staticmethod
    def key_retried(s, rest, value):
        s.retried[rest] = int(value.split(" ")[0])

    @staticmethod
    def key_slots(s, rest, value):
        if rest:
            s.owned[rest] = {site: int(c) for site, c in pairs(value) if site != "#"}
        else:
            s.slots = {site: int(c) for site, c in pairs(value)}

    @staticmethod
    def key_lease(s, _, value):
        for ref, text in pairs(value):
            epoch, dot, owner = text.split(" ")
            s.leases[ref] = (int(epoch), dot == "1", owner)

    @staticmethod
    def key_x(s, rest, value):
        s.wheel[int(rest)] = value

    @staticmethod
    def key_ret(s, rest, value):
        s.retention[int(rest)] = value

    @staticmethod
    def key_damaged(s, _, value):
        s.damaged = value

    @staticmethod
    def key_cut(s, _, value):
        s.cut = dict(pairs(value))

    @staticmethod
    def key_usage(s, _, value):
        s.usage = {tenant: tuple(map(int, text.split(" "))) for tenant, text in pairs(value)}

    @staticmethod
    def key_kept(s, rest, value):
        s.kept[int(rest)] = {tenant: int(b) for tenant, b in pairs(value)}

    @staticmethod
    def key_sup(s, rest, value):
        s.suppressed[rest] = dict(pairs(value))

    @staticmethod
    def key_sup_at(s, rest, value):
        s.suppressed_at[rest] = {email for email, _ in pairs(value)}

    @staticmethod
    def key_sup_bounced(s, rest, value):
        s.suppressed_bounced[rest] = {email for email, _ in pairs(value)}

    @staticmethod
    def key_sup_new(s, _, value):
        s.suppressed_new = {name for name, _ in pairs(value)}

    @staticmethod
    def key_sup_gone(s, rest, _):
        s.suppressed_gone.add(rest)

    @staticmethod
    def key_hungry(s, _, value):
        s.hungry = value == "1"

    def key_ev(self, s, rest, value):
        for entry_id, fields in value:
            self.positions["ev:" + rest] = entry_id
            need(fields[0] == "e" and len(fields) == 2 and fields[1].endswith("\n"), "log entry", fields)
            for line in fields[1][:-1].split("\n"):
                message_id, n = line.split(" ")
                s.log.append((rest, message_id, int(n)))


def _number(name):
    def read(s, _, value):
        s.numbers[name] = int(value)
    return read


def _map(attribute, of_value):
    """A hash, or a sorted set with its scores."""
    def read(s, _, value):
        setattr(s, attribute, {name: of_value(v) for name, v in pairs(value)})
    return read


def _each(attribute):
    """One key for each message, site or the like."""
    def read(s, rest, value):
        getattr(s, attribute)[rest] = value
    return read


READERS = {
    **{name: _number(name) for name in ("x_cursor", "ret_cursor", "taken", "otp_limit", "otp_late")},
    "otp_waiting": _map("otp_waiting", int), "weights": _map("weights", int), "turns": _map("last_turns", float),
    "owners": _map("owners", int), "lease_end": _map("ends", int), "due": _map("due", int),
    "instance": lambda s, rest, value: None,
    "t": _each("transcripts"), "l": _each("lists"), "site": _each("sites"), "last": _each("last"),
}
for _name, _read in READERS.items():
    setattr(Reader, "key_" + _name, staticmethod(_read))

"""The changes that one command may make. Input: the snapshots before and after it, its arguments and its reply."""
import math

from one_store import granted_sites
from snapshot import OPEN, TERMINAL, need

NEVER_CHANGES = ("fixed", "sender", "facts", "unknown")


def check(before, after, command, world):
    command.suppressed = before.suppressed
    leases(before, after, command, world)
    for message_id, new in after.records.items():
        old = before.records.get(message_id)
        if old is None:
            need(command.name == "accept", "a record out of nothing", message_id)
        elif old is not new:
            record(old, new, command)
    suppressed(before, after, command)
    stands(before, after, command)
    transcripts(before, after, command)
    if command.name != "take":
        woken = after.place.keys() - before.place.keys() or any(after.active[at] - before.active.get(at, set()) for at in after.active)
        need(not (woken and after.hungry), command.name, "made work ready and woke nobody")
    otp(before, after, command)
    need(after.rests == before.rests or command.name in ("take", "rest"), command.name, "changed a rest")
    need(after.asked == before.asked or command.name in ("take", "retry"), command.name, "changed what was asked for")
    need(after.retried == before.retried or command.name == "retry", command.name, "changed when a retry may follow")
    rule = RULES.get(command.name)
    if rule:
        rule(before, after, command, world)


# ---- leases ----

def leases(before, after, command, world):
    for ref, lease in before.leases.items():
        new = after.leases.get(ref)
        if new is None:
            need(may_end(before, command, ref, lease), command.name, "ended the lease", ref, lease, "ends", before.ends[ref], "now", command.now)
        else:
            in_part = command.name == "settle" and (ref, lease[0], -1) in zip(command.args[2::4], command.args[3::4], command.args[4::4])
            need(new[0] == lease[0] and new[2] == lease[2] and (new[1] >= lease[1] or in_part), "lease changed", ref, lease, new)
            need(new[1] == lease[1] or new[1] == 0 or command.name == "dot" and command.args[2] == 1, "dot without a fence", ref)
            need(after.ends.get(ref, 0) >= before.ends[ref], "lease grew shorter", ref)
    for ref in after.leases.keys() - before.leases.keys():
        epoch, dot, owner = after.leases[ref]
        need(command.name == "take" and owner == command.args[0] and not dot, "a lease out of nothing", ref)
        need(world.granted.get(ref, 0) < epoch, "epoch granted twice", ref, epoch)
        world.granted[ref] = epoch
        world.n_granted += 1


def may_end(before, command, ref, lease):
    epoch, dot, owner = lease
    if command.name in ("settle", "giveback"):
        if command.args[0] == owner and (ref, epoch) in command.jobs:
            return True
        return command.name == "settle" and not dot and any(r == ref and a == 3 for (r, _), a in zip(command.jobs, command.answer))
    if command.name == "release":
        return command.args[4] == owner or (command.args[4] == "" and before.ends[ref] <= command.now)
    if command.name == "cancel":
        return not dot and ref[:-3] in command.args[1:]
    if command.name == "expire":
        return not dot and before.records[ref[:-3]].deadline <= command.now
    return False


# ---- records ----

def record(old, new, command):
    me = new.id
    for name in NEVER_CHANGES:
        need(getattr(old, name) == getattr(new, name), me, name, "changed")
    need(new.events[:len(old.events)] == old.events, me, "events were rewritten")
    attempts(old, new, command)
    for r, (a, b) in enumerate(zip(old.recipients, new.recipients)):
        need(a.email == b.email and a.job == b.job, me, "recipient changed", r)
        if a.state in TERMINAL:
            need(a.line == b.line, me, "a terminal state was left or changed", a.line, b.line)
        elif a.line != b.line:
            need(new.events[b.n - 1][2] == r and b.n > old.n, me, "recipient changed without an event", r)
            attempt(old, new, r, command)
    for j, (a, b) in enumerate(zip(old.jobs, new.jobs)):
        need(a.dest == b.dest and b.epoch >= a.epoch and b.settled >= a.settled, me, "job", j, "went back")
        need(b.crashes == a.crashes or command.name == "release" and b.crashes == a.crashes + 1 or command.name in ("settle", "retry") and b.crashes == 0,
             me, "crashes of job", j, a.crashes, b.crashes)


def attempts(old, new, command):
    """Only settle and release add attempts, and only the oldest are removed."""
    added = [a for a in new.attempts if a[2][-1] > old.n]
    need(new.attempts == (old.attempts + added)[-20:], new.id, "attempts were rewritten", old.attempts, new.attempts)
    for job, epoch, numbers, text in added:
        need(min(numbers) > old.n, new.id, "an attempt with older events", numbers)
        if command.name == "settle":
            need((f"{new.id}{job:03x}", epoch, text) in [(*j, t) for j, t in zip(command.jobs, command.attempts)], "not what was settled", text)
        else:
            need(command.name == "release" and text == "-", command.name, "wrote an attempt", text)
    told = {n for a in added for n in a[2]}
    for e in new.events[old.n:]:
        ref = e[2] is not None and f"{new.id}{new.recipients[e[2]].job:03x}"
        is_told = command.name == "release" and e[5] == "dup" or command.name == "settle" and any(
            t for (r, _), t, status in zip(command.jobs, command.attempts, command.answer) if r == ref and status in (1, 3))
        need((e[0] in told) == is_told or not command.refs_once, new.id, "event", e, "and its attempt", added)


def transcripts(before, after, command):
    if command.name == "transcript":
        kept, _, me, name, text = command.args
        old = before.transcripts.get(me, [])
        want = old if any(t.startswith(name) for t in old) else (old + [name + text])[-kept:]
        need(command.answer == int(me in before.records), "transcript answered", command.answer)
        if command.answer:
            need(after.transcripts[me] == want, "transcripts", after.transcripts[me], want)
        need({**after.transcripts, me: 0} == {**before.transcripts, me: 0}, "another's transcripts", me)
    else:
        want = {i: t for i, t in before.transcripts.items() if i in after.records}
        need(after.transcripts == want, command.name, "changed transcripts")


BY = {"take": {"expired", "suppressed", "deferred"}, "settle": {"delivered", "bounced", "deferred", "failed"}, "release": {"deferred", "failed", "held"},
      "cancel": {"canceled"}, "expire": {"expired"}, "retry": {"queued"}}


def attempt(old, new, r, command):
    """The event that a recipient got, and whether this command may give it."""
    a, b = old.recipients[r], new.recipients[r]
    text, event = (new.id, r, a.state, "->", b.state), new.events[b.n - 1]
    need(b.state in BY.get(command.name, ()), command.name, "set", *text)
    need(event[3] == command.now, "time of the event", *text)
    tried = command.name == "settle" or command.name == "release" and event[5] == "dup"
    need(b.attempts == a.attempts + tried, "attempts", *text)
    if b.state == "expired":
        need(new.deadline <= command.now, "expired too early", *text)
    if b.state == "suppressed":
        need(b.email.lower() in command.suppressed.get(new.project, {}), "suppressed and on no list", *text)
        need(new.deadline > command.now, "suppressed past the deadline", *text)
    if command.name == "retry":
        need(a.state == "held", "released what was not held", *text)
    if command.name == "release":
        job = new.jobs[b.job]
        if b.state == "held":
            need(job.crashes >= command.args[3], "held after", job.crashes, "crashes", *text)
        elif event[5] == "dup":
            need((b.state == "failed") == ("fail" in new.unknown), "unknown outcome", event)
        else:
            need(b.state == "deferred" and 2 < job.crashes < command.args[3], "deferred after", job.crashes, "crashes", *text)
    if command.name == "settle":
        said = [v for (ref, _), results in zip(command.jobs, command.results) if ref == f"{new.id}{b.job:03x}" for v in results if v[0] == r]
        need((b.state, b.code, event[5], event[6]) in [(o, c, "-" if d == "sup" and o != "bounced" else d, t) for _, o, c, d, t in said], "not what was settled", *text, said)


# ---- suppressions ----

def suppressed(before, after, command):
    """An address is on the list from the bounce that says so on; nothing else changes the list."""
    want = {tenant: set(emails) for tenant, emails in before.suppressed.items()}
    if command.name == "settle":
        for (ref, _), results in zip(command.jobs, command.results):
            old, new = before.records.get(ref[:-3]), after.records.get(ref[:-3])
            for r, outcome, _, flag, _ in results:
                if outcome == "bounced" and flag == "sup" and new and r < len(new.recipients) and old.recipients[r].state in OPEN \
                        and new.recipients[r].state == "bounced" and command.refs_once:
                    want.setdefault(new.project, set()).add(new.recipients[r].email.lower())
        if not command.refs_once:
            return
    new = {f"{tenant} {email}" for tenant, emails in want.items() for email in emails - before.suppressed.get(tenant, {}).keys()}
    need(after.suppressed_new == before.suppressed_new | new, command.name, "news of suppressions", after.suppressed_new, "not", before.suppressed_new, new)
    need({t: set(e) for t, e in after.suppressed.items() if e} == {t: e for t, e in want.items() if e},
         command.name, "suppressions", after.suppressed, "not", want)


# ---- turns ----

def learned_sites(before, command):
    """The sites that giveback stores, and where it moves turns to: those of the lanes of a job, if they are where it was taken."""
    learned, moved = {}, {}
    for (ref, _), given, site, taken_site in zip(command.jobs, command.answer, command.learned, command.taken_at):
        if not given:
            continue
        m = before.records[ref[:-3]]
        dest = m.jobs[int(ref[-3:], 16)].dest
        if site and not dest.startswith("sink/"):
            learned.setdefault(dest, site)
        for lane in (m.lane, "normal") if m.lane == "otp" else (m.lane,):
            if dest in learned and before.stand.get((lane, m.project, dest)) == taken_site:
                moved.setdefault((lane, m.project, dest), learned[dest])
    return learned, moved


def stands(before, after, command):
    """A destination keeps its turn at its place; a new turn is at its site; a site that giveback learned moves it."""
    learned, moved = learned_sites(before, command) if command.name == "giveback" else ({}, {})
    for dest, site in learned.items():
        need(after.site_of(dest) == site, "site was not learned", dest, site)
    for (lane, project, dest), site in after.stand.items():
        was = before.stand.get((lane, project, dest))
        if was is None:
            need(site == after.site_of(dest), "new turn of", dest, "at", site)
        else:
            need(site == moved.get((lane, project, dest), was), command.name, "left or moved the turn of", dest, "from", was, "to", site, moved)


def otp(before, after, command):
    """Lane otp takes no job of a tenant above the limit; jobs of lane otp are in lane normal only then."""
    limit = after.numbers["otp_limit"]
    for tenant, n in after.otp_waiting.items():
        need(n <= max(limit, before.otp_waiting.get(tenant, 0)), command.name, "put too many jobs in lane otp", tenant, n)
    for ref, (lane, tenant, _) in after.place.items():
        if lane == "normal" and ref not in before.place and after.records[ref[:-3]].lane == "otp":
            need(after.otp_waiting.get(tenant, 0) >= limit, command.name, "put a job of lane otp in lane normal", ref)


# ---- the commands ----

def take(before, after, command, world):
    owner, _, n, max_bytes, lease, silent, limit, free, otp_free, capped = command.args[:10]
    now, slots, jobs, n_expired, n_deferred, waiting = command.answer
    need(now == command.now, "time of take")
    lists = [(before.stand[key], r) for key, refs in before.queues.items() for r in refs]
    wants = {site: (want, grow) for site, want, grow in zip(command.args[14::4], command.args[15::4], command.args[16::4])}
    slots_then, owned_then = forgotten(before, command, world)
    granted, per_site, got_bytes, last_lane = granted_sites(slots), {}, 0, 0
    n_otp, capped = 0, capped.split()
    need(len({(site, project) for site, _, project in zip(*[iter(slots)] * 3)}) * 3 == len(slots), "a site granted twice", slots)
    sites = {ref: site for site, ref in lists}
    for ref, epoch, site, text, content in zip(*[iter(jobs)] * 5):
        m, message = after.records[ref[:-3]], world.messages[ref[:-3]]
        job = before.records[ref[:-3]].jobs[int(ref[-3:], 16)]
        need(sites.get(ref) == site and ref in after.leases, "took", ref, "from", site, "but it was at", sites.get(ref))
        need(after.leases[ref] == (epoch, False, owner) and after.ends[ref] == now + lease, "lease of", ref, after.leases[ref])
        need(job.open > 0 and epoch == job.epoch + 1, "took a job that is over", ref)
        listed = before.suppressed.get(m.project, {})
        need(not any(r.job == int(ref[-3:], 16) and r.state in OPEN and r.email.lower() in listed for r in m.recipients),
             "took a job to an address that is suppressed", ref)
        need(m.deadline > now, "took a job past its deadline", ref, m.deadline, now)
        need((m.mode == "test") == (site == "sink"), "mode and site", m.mode, site)
        need(text == m.text and content == message.content, "record or content of", ref)
        lane = ("otp", "normal", "bulk").index(before.place[ref][0])
        n_otp += lane == 0
        need(lane >= last_lane, "lanes out of order")
        last_lane, got_bytes = lane, got_bytes + (0 if message.chunks else m.bytes)
        per_site[site] = per_site.get(site, 0) + 1
    n_jobs = len(jobs) // 5
    need(n_jobs == len(after.leases.keys() - before.leases.keys()) and n_jobs <= n, "leased", n_jobs, "of", n)
    n_past = sum(1 for m in after.records.values() for j, job in enumerate(m.jobs)
                 if not job.open and before.records[m.id].jobs[j].open and m.deadline <= now)
    need(n_expired == n_past, "expired", n_expired, n_past)
    known = owned_then.keys() | wants.keys()
    rested(before, after, command, slots_then, n_deferred)
    need(sum(granted.values()) <= free + otp_free, "more connections than free", granted, free)
    need(sum(granted.values()) - n_otp <= free, "connections of lane otp for other lanes", granted, free, n_otp)
    for site, c, project in zip(*[iter(slots)] * 3):
        need(project not in capped, "a connection for a project that is capped", site, project, capped)
        n = sum(1 for ref, _, at, *_ in zip(*[iter(jobs)] * 5) if at == site and after.records[ref[:-3]].project == project)
        need(n >= c, "more connections for a project than it has jobs", site, project, c, n)
    for site, c in granted.items():
        need(slots_then.get(site, 0) + c <= limit, "slots above the limit", site, slots_then.get(site, 0), c, limit)
        rest = before.rests.get(site)
        if rest and not (rest[0] <= now and sum(wants.get(site, ())) > 0):
            is_asked = any(ref in before.asked.get(site, ()) for ref, _, at, *_ in zip(*[iter(jobs)] * 5) if at == site)
            need((rest[0] <= now or is_asked and per_site[site] == 1) and c == 1 and site not in slots_then, "connections to a site that rests", site, rest, c, slots_then.get(site))
        need(c <= wants[site][1] if site in known else c == 1, "connections", site, c, wants.get(site))
        world.open(owner, site, c)
    for site, c in per_site.items():
        want = wants.get(site, (0, 0))[0]
        need(c <= want + granted.get(site, 0), "jobs of", site, c, "wanted", want, "granted", granted.get(site))
    for site, c in granted.items():
        need(per_site.get(site, 0) >= c, "connections without jobs", site)
    if n_jobs < n and got_bytes < max_bytes:
        need(after.hungry, "a short take that is not hungry")
        has_work, has_free = {site for _, _, site in after.turns}, free > sum(granted.values())
        may_open = {site for _, project, site in after.turns if project not in capped}
        for site, (want, grow) in wants.items():
            c = min(grow, limit - before.slots.get(site, 0))
            no_more = not has_free or before.rests.get(site, (0,))[0] > now
            is_full = per_site.get(site, 0) >= want and (no_more or granted.get(site, 0) >= c)
            need(is_full or site not in (has_work if per_site.get(site, 0) < want else may_open), "work left at", site)
        if has_free:
            left = {site for (_, project), sites in after.active.items() if project not in capped for site in sites} - known - granted.keys()
            left -= {site for site in left if site in before.rests and site in slots_then}
            need(not left, "work left at new sites", left)
    none_free = sum(granted.values()) == free + otp_free
    waits = {lane for (lane, project), sites in after.active.items() if project not in capped for site in sites - known - granted.keys()
             if after.slots.get(site, 0) < limit and (site not in after.rests or after.rests[site][0] <= now and site not in after.slots)}
    if none_free:
        need(waiting == (2 if "otp" in waits else int(bool(waits))), "waiting", waiting, waits)
    else:
        need(waiting == 0 or waiting == 1 and waits - {"otp"}, "waiting", waiting, waits)


def forgotten(before, command, world):
    """The slots when take begins, less those that the owner says it has not; (of all, of the owner)."""
    owner, told = command.args[0], dict(zip(command.args[14::4], command.args[17::4]))
    slots, owned = dict(before.slots), dict(before.owned.get(owner, {}))
    for site, c in list(owned.items()) if command.args[13] else ():
        gone = max(0, c - told.get(site, 0))
        world.close(owner, site, gone)
        for counts in (slots, owned):
            counts[site] -= gone
            if not counts[site]:
                del counts[site]
    return slots, owned


def rested(before, after, command, slots, n_deferred):
    """A recipient deferred by take is at a resting site without connections. A rest ends when an owner's transaction ends."""
    said = 0
    for message_id, m in after.records.items():
        for r, o in zip(before.records[message_id].recipients, m.recipients):
            if o.state == "deferred" and r.state != "deferred":
                said += 1
                site = before.stand[before.place[f"{message_id}{o.job:03x}"]]
                till, _, code, text = before.rests[site]
                need(till > command.now and site not in slots, "deferred at a site that does not rest", site, before.rests[site])
                need((str(o.code), m.events[o.n - 1][6]) == (code, text), "why it was deferred", m.events[o.n - 1])
    need(said == n_deferred, "recipients deferred", said, n_deferred)
    for ref in after.due.keys() - before.due.keys():
        m = after.records[ref[:-3]]
        site = before.stand[before.place[ref]]
        need(ref in before.place and after.due[ref] == min(before.rests[site][0], m.deadline), "due after a rest", ref, after.due[ref])
    asked = {site for site, want, grow in zip(command.args[14::4], command.args[15::4], command.args[16::4]) if want + grow > 0}
    want = {site: rest for site, rest in before.rests.items() if rest[0] > command.now or site not in asked}
    need(after.rests == want, "rests after take", after.rests, want)


def rest(before, after, command, _):
    site, first, longest, spread, code, text = command.args
    old = before.rests.get(site, (0, 0))
    if old[0] > command.now:
        need(after.rests == before.rests and command.answer == list(old[:2]), "a rest while it rests", site, old, command.answer)
        return
    ms = int(min(first * 2 ** old[1], longest) * (750 + spread / 2) / 1000)
    want = (command.now + ms, old[1] + 1, str(code), text)
    need(after.rests == {**before.rests, site: want} and command.answer == list(want[:2]), "rest", after.rests.get(site), want)


def dot(before, after, command, _):
    owner, lease, kind = command.args[:3]
    need(command.answer[0] == command.now + lease, "lease end")
    for (ref, epoch), ok in zip(command.jobs, command.answer[1:]):
        old = before.leases.get(ref)
        need(ok == int(old is not None and old[0] == epoch and old[2] == owner), "fence answered", ok, "for", ref, epoch, owner, old)
        if ok:
            need(after.leases[ref][1] >= kind and after.ends[ref] >= command.answer[0], "lease after the fence", ref, after.leases[ref])


def settle(before, after, command, _):
    owner, retention = command.args[:2]
    seen = set()
    for (ref, epoch), status, results, delay in zip(command.jobs, command.answer, command.results, command.args[4::4]):
        old, lease = before.records.get(ref[:-3]), before.leases.get(ref)
        if old is None:
            need(status == 4, "settled no job", ref)
            continue
        j = int(ref[-3:], 16)
        job, new = old.jobs[j], after.records[ref[:-3]]
        if ref in seen:
            continue
        seen.add(ref)
        if lease and lease[0] == epoch and lease[2] == owner:
            goes_on = delay == -1 and new.jobs[j].open > 0
            need(status == 1 and (ref in after.leases) == goes_on or not command.refs_once, "settle answered", status, ref)
            need(new.jobs[j].settled == (job.settled if goes_on else epoch) or not command.refs_once, "settled epoch", ref)
            if goes_on and command.refs_once:
                applied = sum(r.n > old.n for r in new.recipients if r.job == j)
                need(after.leases[ref][1] == (0 if applied or not results else lease[1]), "a dot after results of a part", ref)
                need(after.due.get(ref) == before.due.get(ref), "due while the relay goes on", ref)
            elif new.jobs[j].open and command.refs_once:
                at = max(min(command.now + delay, new.deadline), command.now)
                need(after.due.get(ref) == at, "due", ref, after.due.get(ref), at)
            for r, outcome, *_ in results:
                if r < len(old.recipients) and old.recipients[r].job == j and old.recipients[r].state in OPEN:
                    need(new.recipients[r].state in [v[1] for v in results if v[0] == r], "result not applied", ref, r)
            continue
        first_delivered = [v for v in results if v[1] == "delivered" and v[0] < len(old.recipients)
                           and old.recipients[v[0]].job == j and old.recipients[v[0]].state in OPEN]
        if first_delivered and (epoch <= job.epoch or not lease or not lease[1]):
            need(status == 3, "late delivery not taken", ref, status)
            need(all(new.recipients[v[0]].state == "delivered" for v in first_delivered), "late delivery not written", ref)
            need(not new.jobs[j].open or not lease or lease[1] or after.due.get(ref) == command.now, "a holder before its dot goes on", ref)
        elif job.settled == epoch and (epoch <= job.epoch or not lease or not lease[1]):
            need(status == 2, "settle answered", status, "for an epoch settled before", ref)
        else:
            need(status == 0, "settle answered", status, ref)


def giveback(before, after, command, _):
    given = set()
    for (ref, epoch), ok, delay in zip(command.jobs, command.answer, command.args[6::5]):
        lease = before.leases.get(ref)
        mine = lease is not None and lease[0] == epoch and lease[2] == command.args[0] and ref not in given
        if ref[:-3] not in before.records:
            continue
        need(ok == int(mine), "giveback answered", ok, "for", ref, lease)
        if not ok:
            continue
        given.add(ref)
        job = after.records[ref[:-3]].jobs[int(ref[-3:], 16)]
        need(ref not in after.leases, "still leased", ref)
        if job.open and delay:
            need(after.due.get(ref) == command.now + delay, "due after giveback", ref)
        elif job.open:
            need(ref in after.place, "not ready after giveback", ref)


def promote(before, after, command, _):
    gone = before.due.keys() - after.due.keys()
    need(all(before.due[ref] <= command.now for ref in gone), "promoted too early")
    need(command.answer[0] == len(gone), "promoted", command.answer[0], len(gone))
    late = [ref for ref, at in after.due.items() if at <= command.now]
    need(not late or len(gone) == command.args[0], "left due jobs behind", late)
    wait = max(0, math.ceil(min(after.due.values()) - command.now)) if after.due else -1
    need(command.answer[1] == wait, "next due", command.answer[1], wait)


def release(before, after, command, world):
    n, dead = command.args[0], command.args[4]
    gone = {ref: before.leases[ref] for ref in before.leases.keys() - after.leases.keys()}
    taken, deferred, failed, held, silent, more = command.answer
    need(taken == len(gone), "took back", taken, len(gone))
    want = [0, 0, 0]
    for ref, (_, is_dot, _) in gone.items():
        m = after.records.get(ref[:-3])
        if not m or not before.records[ref[:-3]].jobs[int(ref[-3:], 16)].open:
            continue
        job = m.jobs[int(ref[-3:], 16)]
        if is_dot:
            want["fail" in m.unknown] += 1
            need(ref in after.due or "fail" in m.unknown, "unknown outcome", ref)
        else:
            want[2] += job.is_held
            need(job.is_held == (job.crashes >= command.args[3]), "held", ref, job.crashes)
            need(job.is_held or ref in (after.due if job.crashes > 2 else after.place), "taken back to nowhere", ref)
    need([deferred, failed, held] == want, "release counts", command.answer, want)
    if dead:
        if not more:
            need(not any(lease[2] == dead for lease in after.leases.values()), "leases of the dead")
            need(dead not in after.owned and dead not in after.owners and dead not in after.last, "the dead is not forgotten")
            world.bury(dead)
        return
    need(more or not any(at <= command.now for at in after.ends.values()), "expired leases left", n)
    buried = before.owners.keys() - after.owners.keys()
    need(silent == len(buried) and all(before.owners[o] <= command.now for o in buried), "owners that fell silent", silent, buried)
    need(not any(at <= command.now for at in after.owners.values()), "silent owners left")
    for owner in buried:
        world.bury(owner)


def cancel(before, after, command, _):
    seen = set()
    for i, message_id in enumerate(command.args[1:]):
        over, kept = command.answer[2 * i:2 * i + 2]
        old, new = before.records.get(message_id), after.records.get(message_id)
        if old is None:
            need((over, kept) == (-1, 0), "canceled nothing", over, kept)
        elif message_id in seen:
            need((over, kept) == (0, 0), "canceled twice", over, kept)
        else:
            need(over == old.open - new.open and kept == new.open, "canceled", over, kept, old.open, new.open)
            for j, job in enumerate(new.jobs):
                lease = before.leases.get(f"{message_id}{j:03x}")
                need(job.open == 0 or lease and lease[1], "not canceled", message_id, j)
        seen.add(message_id)


def expire(before, after, command, _):
    n = sum(old.open - after.records[i].open for i, old in before.records.items())
    need(command.answer[1] == n, "expired", command.answer, n)
    minute = command.now // 60000
    need(command.answer[2] == minute - after.numbers["x_cursor"] and after.numbers["x_cursor"] <= minute + 1, "cursor", command.answer)


def retry(before, after, command, world):
    _, least, request, message_id = command.args
    m, wait = before.records.get(message_id), before.retried.get(message_id, 0) - command.now
    new = after.place.keys() - before.place.keys()
    if command.answer[3]:
        need(0 < wait == command.answer[3] <= least and not new and after.retried == before.retried, "a retry was refused", wait, command.answer)
        return
    want = {site: set(refs) for site, refs in before.asked.items()}
    for ref in new:
        site = before.site_of(m.jobs[int(ref[-3:], 16)].dest)
        if site in before.rests:
            want.setdefault(site, set()).add(ref)
    need(after.asked == want, "jobs that were asked for", after.asked, want)
    need(after.retried == ({**before.retried, message_id: command.now + least} if new else before.retried), "when a retry may follow", after.retried)
    is_again = request in world.retries
    need(not new or is_again or not 0 < wait <= least, "a retry too early", message_id, wait)
    world.retries.add(request)


def sweep(before, after, command, world):
    gone = before.records.keys() - after.records.keys()
    for message_id in gone:
        m = before.records[message_id]
        ended = max(r.at for r in m.recipients)
        need(m.open == 0 and ended + world.min_retention <= command.now + world.stepped_back, "swept too early", message_id, ended, command.now)
        world.messages[message_id].is_swept = True


RULES = {"rest": rest, "take": take, "dot": dot, "settle": settle, "giveback": giveback, "promote": promote, "release": release, "cancel": cancel,
         "expire": expire, "sweep": sweep, "retry": retry}

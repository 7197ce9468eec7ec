"""Rules for every snapshot of the store, whatever happened before."""
import json
from collections import Counter
from hashlib import sha1

from snapshot import need


def check(s, world):
    check_jobs(s, world)
    check_turns(s)
    check_slots(s, world)
    check_messages(s, world)
    check_wheels(s)
    check_log(s, world)
    check_lists(s, world)
    check_usage(s, world)
    need({t: set(e) for t, e in s.suppressed.items()} == s.suppressed_at, "suppressions by time", s.suppressed_at, s.suppressed)
    bounced = {t: {a for a, text in e.items() if json.loads(text)["reason"] == "bounce"} for t, e in s.suppressed.items()}
    need({t: a for t, a in bounced.items() if a} == s.suppressed_bounced, "suppressions by bounces", s.suppressed_bounced, s.suppressed)
    need(s.suppressed_new <= {f"{tenant} {email}" for tenant, emails in s.suppressed.items() for email in emails},
         "news of what is not suppressed", s.suppressed_new)
    need(not s.damaged, "damaged refs", s.damaged)
    need(s.numbers.get("taken", 0) == world.n_granted, "jobs taken", s.numbers.get("taken"), world.n_granted)
    need(s.idempotency == world.idempotency, "idempotency records", s.idempotency, world.idempotency)
    need(s.sites == world.sites, "sites learned", s.sites, world.sites)


def check_jobs(s, world):
    """Every open job is in one place, a held one in none, a finished one nowhere but where it does no harm."""
    need(s.leases.keys() == s.ends.keys(), "lease and lease_end differ", s.leases.keys() ^ s.ends.keys())
    known = set()
    for message_id, m in s.records.items():
        for j, job in enumerate(m.jobs):
            ref = f"{message_id}{j:03x}"
            known.add(ref)
            place, due, lease = s.place.get(ref), ref in s.due, s.leases.get(ref)
            where = (place is not None) + due + (lease is not None)
            if job.open == 0:
                need(not due, "finished job is due", ref)
                need(not lease or lease[1], "finished job is leased before its dot", ref, lease)
                need(where <= 1, "finished job in two places", ref)
            elif job.is_held:
                need(where == 0, "held job is in a queue", ref, place, due, lease)
            else:
                need(where == 1, "open job is in", where, "places", ref, place, due, lease)
            lanes = (m.lane, "normal") if m.lane == "otp" else (m.lane,)
            need(place is None or place in [(lane, m.project, job.dest) for lane in lanes], "job in another's list", ref, place)
            # After the results of a part the epoch of the job is that of the lease.
            need(lease is None or lease[0] - job.epoch in (0, 1), "epoch of the lease", ref, lease, job.epoch)
    for ref in (s.place.keys() | s.due.keys() | s.leases.keys()) - known:
        message = world.messages.get(ref[:-3])
        need(message and message.is_swept and ref not in s.due, "a place of no job", ref)
        need(ref not in s.leases or s.leases[ref][1], "a lease of a forgotten job", ref)


def check_turns(s):
    """Below a site: projects, and below each its destinations. Below a lane: projects, and below each its sites. Each where there is work, once."""
    need(s.stand.keys() == s.queues.keys(), "turns of destinations", s.stand.keys() ^ s.queues.keys())
    for (_, _, dest), site in s.stand.items():
        need(dest.startswith("sink/") == (site == "sink"), "only test mail goes to the sink", dest, site)
    turns = {(lane, site, project) for lane, project, site in s.turns}
    got = {(lane, site, project) for (lane, site), projects in s.site_projects.items() for project in projects}
    need(got == turns, "turns of projects at sites", got ^ turns)
    active = {(lane, site, project) for (lane, project), sites in s.active.items() for site in sites}
    need(active <= turns, "active without work", active - turns)
    need({t for t in turns - active if t[1] not in s.full} == set(), "work without a turn in its lane", turns - active, s.full)
    projects = {(lane, project) for lane, scores in s.lane_projects.items() for project in scores}
    need(projects == s.active.keys(), "projects of the lanes", projects ^ s.active.keys())
    ready, waiting = Counter(), Counter()
    for (lane, project, _), refs in s.queues.items():
        ready[lane] += len(refs)
        if lane == "otp":
            waiting[project] += len(refs)
    need(s.ready == ready, "ready jobs", s.ready, ready)
    need(s.otp_waiting == waiting, "waiting in lane otp", s.otp_waiting, waiting)


def check_slots(s, world):
    total = {}
    for owned in s.owned.values():
        for site, c in owned.items():
            need(c > 0, "slots of an owner", owned)
            total[site] = total.get(site, 0) + c
    need(total == s.slots, "slots are not the sum over owners", s.slots, s.owned)
    need({o: c for o, c in s.owned.items() if c} == world.owned, "slots of owners", s.owned, world.owned)
    for site in s.full:
        need(s.slots.get(site, 0) > 0, "a full site without connections", site)
    for owner in s.owned.keys() | s.last.keys():
        need(owner in s.owners, "nobody watches owner", owner)
    need({lease[2] for lease in s.leases.values()} <= s.owners.keys() | world.silent, "nobody watches an owner of leases")


def check_messages(s, world):
    for message_id, message in world.messages.items():
        m = s.records.get(message_id)
        need((m is None) == message.is_swept, "record lost or never swept", message_id)
        if not m:
            need(message_id not in s.contents and message_id not in s.chunks, "content of a forgotten message", message_id)
            continue
        if message.chunks:
            need(message_id not in s.contents, "two contents", message_id)
            need(s.chunks.get(message_id) == (message.chunks if m.open else None), "chunks", message_id, s.chunks.get(message_id))
        else:
            need(s.contents.get(message_id) == (message.content if m.open else None), "content", message_id, m.open)
    need(s.records.keys() <= world.messages.keys(), "records of nobody")
    need(s.chunks.keys() <= world.messages.keys() | world.malformed, "chunks of messages that were refused", s.chunks.keys() - world.messages.keys())


def check_wheels(s):
    cursor = s.numbers["x_cursor"]
    reached = {i for minute, ids in s.wheel.items() if minute >= cursor for i in ids}
    need(all(minute >= cursor for minute in s.wheel), "deadlines behind the cursor", cursor, s.wheel.keys())
    need(all(hour >= s.numbers["ret_cursor"] for hour in s.retention), "retention behind the cursor")
    ended = [i for ids in s.retention.values() for i in ids]
    once = set(ended)
    need(len(once) == len(ended), "a message ends twice", ended)
    for message_id, m in s.records.items():
        if m.open:
            need(message_id in reached, "open message without a deadline", message_id)
        need((m.open == 0) == (message_id in once), "retention of", message_id, m.open)


def check_log(s, world):
    """Every event is in its project's log once, in order."""
    logged = world.logged
    for project, message_id, n in s.log:
        need(logged.get(message_id, 0) + 1 == n, "log of", message_id, "has", logged.get(message_id, 0), "then", n)
        need(world.messages[message_id].project == project, "event in another project's log", message_id, project)
        logged[message_id] = n
    for message_id, m in s.records.items():
        need(logged.get(message_id) == m.n, "events not in the log", message_id, logged.get(message_id), m.n)


def check_usage(s, world):
    """Each project's messages that are not finished and the bytes of all its messages are counted exactly."""
    for hour in world.kept.keys() - s.kept.keys():
        need(all(i not in s.records for i in world.kept.pop(hour)), "bytes of messages that are not swept are not counted", hour)
    for hour, ids in s.retention.items():
        for i in ids:
            if i in s.records:
                world.kept.setdefault(hour, {}).setdefault(i, (s.records[i].project, s.records[i].kept_bytes()))
    used, kept = Counter(), {}
    for hour, ended in world.kept.items():
        kept[hour] = Counter()
        for tenant, size in ended.values():
            kept[hour][tenant] += size
            used[tenant] += size
    need(s.kept == kept, "bytes of finished messages", s.kept, kept)
    queued = Counter(m.project for m in s.records.values() if m.open)
    for m in s.records.values():
        if m.open:
            used[m.project] += m.queued_bytes()
    need(s.usage == {tenant: (queued[tenant], size) for tenant, size in used.items()}, "usage", s.usage, queued, used)


def check_lists(s, world):
    """A message is once in each list that it can be asked for by. (A look at all is dear: each twentieth time.)"""
    world.looks += 1
    if world.looks % 20:
        return
    want = Counter()
    for message_id, message in world.messages.items():
        m, at = s.records.get(message_id), f"{message.project}:{message.accepted // 3_600_000}"
        want[at, message_id] += 1
        for tag in message.tags:
            digest = sha1(tag.encode()).hexdigest()
            want[f"{at}:t:{digest[:2]}", message_id + digest[2:6]] += 1
        for email in message.emails:
            digest = sha1(email.lower().encode()).hexdigest()
            want[f"{at}:r:{digest[:2]}", message_id + digest[2:6]] += 1
        if m:
            for state in {e[1] for e in m.events} - {"queued", "delivered"}:
                want[f"{at}:s:{state}", message_id] += 1
            if not m.open and len({r.state for r in m.recipients}) > 1:
                want[f"{at}:s:mixed", message_id] += 1
    got = Counter({(name, entry): n for name, entries in s.lists.items() for entry, n in Counter(entries).items()})
    swept = {i for i, message in world.messages.items() if message.is_swept}
    differ = {key for key in want.keys() | got.keys() if want[key] != got[key] and not (":s:" in key[0] and key[1] in swept)}
    need(not differ, "lists", differ)

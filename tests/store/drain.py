"""The end of a round: all relays die, time passes, every recipient reaches a final state, and only the logs are left."""
from snapshot import need
from world import PROJECTS, RETENTION

MAY_STAY = {"x_cursor", "ret_cursor", "taken", "otp_limit", "otp_late", "instance"}


def drain(actors):
    for relay in actors.relays:
        actors.ghosts.extend((relay.name, ref, epoch) for ref, epoch in relay.jobs.items())
    actors.relays = [actors.relay()]
    if actors.rnd.random() < .7:
        deliver(actors)
    wait_out(actors)
    forget(actors)


def until(claim, what):
    """Calls it until it returns a true value."""
    for _ in range(300):
        if claim():
            return
    need(False, what, "without end")


def is_idle(s):
    return not (s.place or s.due or s.leases)


def deliver(actors):
    """One relay delivers all that is left in time, in spite of the dead ones."""
    relay = actors.relays[0]
    for _ in range(400):
        actors.clock.move(70_000)
        actors.release(100)
        actors.promote(100)
        actors.expire(100)
        actors.take(relay, 20)
        actors.receive(relay, actors.trace[-1].answer)
        jobs = list(relay.jobs.items())
        if jobs:
            actors.settle_jobs(relay.name, jobs, "delivered")
        relay.jobs = {}
        owned = actors.world.owned.get(relay.name)
        if owned and actors.rnd.random() < .5:
            site = actors.rnd.choice(sorted(owned))
            relay.request += 1
            actors.run(slot(relay, site, owned[site]))
        if is_idle(actors.before):
            break
    need(is_idle(actors.before), "work that nobody comes to")
    for m in actors.before.records.values():
        need(all(job.open == 0 or job.is_held for job in m.jobs), "open and at rest", m.id)


def slot(relay, site, count):
    from actions import Command
    return Command("slot", [relay.name, f"{relay.name}-{relay.request}", site, count])


def wait_out(actors):
    """Without any relay the keeper alone ends every message."""
    for _ in range(500):
        actors.clock.move(700_000)
        until(lambda: not actors.release(100)[5], "release")
        until(lambda: actors.expire(100)[2] <= 0, "expire")
        if actors.rnd.random() < .3:
            actors.promote(100)
        if not any(m.open for m in actors.before.records.values()) and not actors.before.wheel:
            break
    need(not any(m.open for m in actors.before.records.values()), "messages that never end")


def forget(actors):
    actors.clock.move(4 * 3_600_000 + abs(actors.world.stepped_back))
    until(lambda: actors.sweep(100) == [0, 0], "sweep")
    until(lambda: not actors.release(100)[5], "release")
    actors.expire(100)
    relay = actors.relay()
    for _ in range(50):
        if not actors.before.turns:
            break
        actors.take(relay, 50)
        actors.clock.move(70_000)
        actors.release(100)
    s, c = actors.before, actors.client
    orphans = [f"pn:{{p0}}:c:{i}:{k}" for i, chunks in s.chunks.items() for k in chunks if i not in actors.world.messages]
    if orphans:
        c("DEL", *orphans)
        s = actors.reader.read()
    left = {k: v for k, v in vars(s).items() if v and k not in ("numbers", "log", "idempotency", "sites", "rests", "asked", "retried", "hungry", "weights", "lane_projects", "last_turns", "lists", "suppressed", "suppressed_at",
                                                           "suppressed_new", "suppressed_gone", "suppressed_bounced")}
    need(not left and not any(s.lane_projects.values()), "left over", left)
    for name in s.lists:                       # they go by themselves, after the last of their messages
        need(c("PTTL", f"pn:{{p0}}:l:{name}") >= RETENTION - 60_000, "a list that stays for ever, or not long enough", name)
    need(set(s.numbers) <= MAY_STAY, "left over", s.numbers)
    need(actors.world.logged.keys() == actors.world.messages.keys(), "messages without a log", PROJECTS)

"""The order of service: lanes, projects, destinations, sites, connections; and wake-ups."""
import sys
from collections import Counter

from one_store import lane_of, project_of, run_tests
from redis_server import Client
from scripts import ROOT
from world import RETENTION


def shares(store, n_takes, wanted, **how):
    lanes = Counter()
    for _ in range(n_takes):
        _, jobs = store.take(wanted, sites=[("a.ex", wanted, 0)], **how)
        assert len(jobs) == wanted
        lanes.update(lane_of(j) for j in jobs)
    return lanes


def full_lanes(store, n=2000, dest="a.ex"):
    for lane in ("otp", "normal", "bulk"):
        store.fill(n, lane=lane, dest=dest)


def test_full_lanes_share_70_20_10_exactly(store):
    full_lanes(store)
    assert shares(store, 50, 40) == {"otp": 1400, "normal": 400, "bulk": 200}


def test_shares_are_exact_with_small_takes(store):
    full_lanes(store)
    assert shares(store, 1000, 1) == {"otp": 700, "normal": 200, "bulk": 100}


def test_takes_of_one_size_do_not_starve_a_lane(store):
    for size in (2, 3, 5, 8, 10, 20):
        full_lanes(store)
        lanes = shares(store, 1000 // size, size)
        assert abs(lanes["bulk"] - 100) <= 5 and abs(lanes["normal"] - 200) <= 5, (size, lanes)


def test_each_of_ten_sites_gets_its_shares(store):
    """One job for each of ten connections, again and again: no site always meets the same lane."""
    sites = [f"s{i}.ex" for i in range(10)]
    for site in sites:
        full_lanes(store, 300, dest=site)
    lanes = {site: Counter() for site in sites}
    for _ in range(200):
        _, jobs = store.take(64, sites=[(site, 1, 0) for site in sites])
        assert len(jobs) == 10
        for j in jobs:
            lanes[j[2]][lane_of(j)] += 1
    assert all(15 <= c["bulk"] <= 25 and 30 <= c["normal"] <= 50 for c in lanes.values()), lanes


def test_new_sites_get_their_shares(store):
    for lane in ("otp", "normal", "bulk"):
        for i in range(300):
            store.accept(store.message(dest=f"{lane}{i}.ex", lane=lane))
    lanes = Counter()
    for i in range(30):
        slots, jobs = store.take(64, owner=f"w{i}", free=10)
        assert len(jobs) == sum(slots.values()) == 10
        lanes.update(lane_of(j) for j in jobs)
    assert abs(lanes["otp"] - 210) <= 3 and abs(lanes["normal"] - 60) <= 3, lanes


def test_a_lane_alone_gets_everything(store):
    for lane in ("otp", "normal", "bulk"):
        store.fill(64, lane=lane)
        assert shares(store, 1, 64) == {lane: 64}


def test_two_otp_after_5000_bulk_are_in_the_next_take(store):
    store.fill(5000, lane="bulk")
    store.fill(2, lane="otp")
    _, jobs = store.take(8, sites=[("a.ex", 8, 0)])
    assert [lane_of(j) for j in jobs] == ["otp"] * 2 + ["bulk"] * 6


def test_one_message_after_100000_of_another_project_is_among_the_first(store):
    store.fill(100_000, project="1")
    store.fill(1, project="2")
    _, jobs = store.take(4, sites=[("a.ex", 4, 0)])
    assert "2" in [project_of(j) for j in jobs]


def test_eleven_projects_get_equal_turns(store):
    for i in range(1, 12):
        store.fill(200, project=str(i))
    projects = Counter()
    for _ in range(121):
        projects.update(project_of(j) for j in store.take(10, sites=[("a.ex", 10, 0)])[1])
    assert all(109 <= n <= 111 for n in projects.values()), projects


def test_destinations_of_a_site_get_equal_turns(store):
    for d in range(5):
        store.client("SET", f"{ROOT}site:d{d}.ex", "mx.one")
        store.fill(1000 if d == 0 else 100, dest=f"d{d}.ex")
    dests = Counter()
    for _ in range(50):
        dests.update(j[3].split("\n")[1].split(" ")[4] for j in store.take(8, sites=[("mx.one", 8, 0)])[1])
    assert set(dests.values()) == {80}, dests


def test_new_sites_have_equal_turns(store):
    for i in range(100):
        store.fill(20, dest=f"d{i}.ex")
    sites = Counter()
    for t in range(50):
        slots, jobs = store.take(20, owner=f"w{t}", free=20)
        assert len(jobs) == sum(slots.values()) == 20
        sites.update(slots)
    assert set(sites.values()) == {10}, sites


def test_one_take_opens_all_the_sites_it_may(store):
    for lane in ("normal", "bulk", "otp"):
        for i in range(150):
            store.fill(2, dest=f"{lane}{i}.ex", lane=lane)
        slots, jobs = store.take(256, owner=lane, free=150)
        assert len(slots) == len(jobs) == 150, (lane, len(slots))


def test_a_site_is_never_open_above_its_limit(store):
    store.fill(50)
    total = 0
    for i in range(20):
        slots, _ = store.take(8, owner=f"w{i}", free=8, limit=7)
        total += sum(slots.values())
        slots, _ = store.take(8, owner=f"w{i}", free=8, limit=7, sites=[("a.ex", 0, 3)])
        total += sum(slots.values())
    assert total == 7, total
    assert store.client("HGET", ROOT + "slots", "a.ex") == "7"


def test_full_sites_cost_nothing(store):
    empty = store.commands(lambda: store.take(8, owner="other", free=8, limit=1))
    for i in range(3000):
        store.accept(*[store.message(dest=f"d{i}.ex") for _ in range(2)])
    for i in range(30):
        slots, _ = store.take(200, owner=f"w{i}", free=100, limit=1)
        assert len(slots) == 100
    for _ in range(4):
        assert store.take(8, owner="other", free=8, limit=1) == ({}, [])
    assert store.commands(lambda: store.take(8, owner="other", free=8, limit=1)) <= empty + 3
    store.slot("d5.ex", 1, owner="w0")
    freed = [k for k in range(30) if store.client("HEXISTS", f"{ROOT}slots:w{k}", "d7.ex")]
    store.slot("d7.ex", 1, owner=f"w{freed[0]}")
    slots, _ = store.take(8, owner="other", free=8, limit=1)
    assert "d7.ex" in slots


def test_sites_that_the_owner_knows_cost_at_most_64_looks_a_take(store):
    for i in range(300):
        store.accept(*[store.message(dest=f"d{i}.ex") for _ in range(2)])
    store.take(300, free=300)
    few = store.commands(lambda: store.take(8, free=8))
    store.fill(1, dest="new.ex")
    assert few < 30, few
    opened = [slots for slots in (store.take(8, free=8)[0] for _ in range(6)) if slots]
    assert opened == [{"new.ex": 1}], "after at most 300 / 64 takes"


# ---- projects ----

def give_site(store, site, dests):
    for dest in dests:
        store.client("SET", f"{ROOT}site:{dest}", site)


def projects_of(jobs):
    return Counter(project_of(j) for j in jobs)


def test_six_thousand_destinations_of_a_project_have_one_turn_at_the_site(store):
    dests = [f"d{i}.ex" for i in range(6000)]
    give_site(store, "mx.one", dests + ["victim.ex"])
    for i in range(0, 6000, 100):
        store.accept(*[store.message(dest=d) for d in dests[i:i + 100]])
    store.fill(10, dest="victim.ex", project="2")
    _, jobs = store.take(20, sites=[("mx.one", 20, 0)])
    assert projects_of(jobs) == {"1": 10, "2": 10}


def test_six_thousand_sites_of_a_project_have_one_turn_in_the_lane(store):
    for lane in ("otp", "normal", "bulk"):
        for i in range(0, 6000, 100):
            store.accept(*[store.message(dest=f"{lane}{k}.ex", lane=lane) for k in range(i, i + 100)])
        for i in range(30):
            store.accept(store.message(dest=f"victim{lane}{i}.ex", lane=lane, project="2"))
    slots, jobs = store.take(64, free=50)
    got = Counter((lane_of(j), project_of(j)) for j in jobs)
    assert len(slots) == 50 and all(abs(got[lane, "1"] - got[lane, "2"]) <= 1 for lane in ("otp", "normal", "bulk")), got


def take_until_idle(store, site, n):
    """Takes jobs at mx.old as a relay does that knows the destination at another site. Returns the number of takes with jobs; ends after n."""
    for count in range(n):
        _, jobs = store.take(1, sites=[("mx.old", 1, 0)])
        if not jobs:
            return count
        store.giveback(jobs, site=site)
    return n


def test_jobs_at_a_site_that_their_destination_has_left_are_given_back_once(store):
    """The stored site has expired, and the destination's mail goes to another site."""
    for lane, limit, project in (("normal", 100, "1"), ("bulk", 100, "1"), ("otp", 100, "1"), ("otp", 2, "2t")):
        store.client("SET", ROOT + "otp_limit", limit)
        give_site(store, "mx.old", ["moved.ex"])
        store.fill(6, dest="moved.ex", lane=lane, project=project)
        store.client("DEL", ROOT + "site:moved.ex")
        assert take_until_idle(store, "mx.new", 20) == 1, (lane, limit)
        _, jobs = store.take(6, sites=[("mx.new", 6, 0)])
        assert len(jobs) == 6, (lane, limit)
        store.settle(jobs)


def test_a_job_given_back_moves_the_turns_of_its_project_alone(store):
    """So one call costs no more if thousands of projects have mail for the destination."""
    def give_back(projects):
        give_site(store, "mx.old", ["moved.ex"])
        for project in range(projects):
            store.fill(2, dest="moved.ex", project=str(project + 1))
        _, jobs = store.take(1, sites=[("mx.old", 1, 0)])
        return store.commands(lambda: store.giveback(jobs, site="mx.new"))
    few = give_back(2)
    store.client("FLUSHDB")
    store = type(store)(store.client, store.scripts)
    assert give_back(300) == few
    assert take_until_idle(store, "mx.new", 1000) == 299
    _, jobs = store.take(600, sites=[("mx.new", 600, 0)], max_bytes=1 << 30)
    assert len(jobs) == 600


def test_a_weight_of_three_gives_three_turns_at_a_site_and_in_a_lane(store):
    store.client("HSET", ROOT + "weights", "2", 3)
    for project in ("1", "2", "3"):
        store.fill(400, project=project)
    jobs = [j for _ in range(50) for j in store.take(10, sites=[("a.ex", 10, 0)])[1]]
    got = projects_of(jobs)
    assert abs(got["2"] - 300) <= 3 and abs(got["1"] - 100) <= 3, got
    for project in ("1", "2", "3"):
        for i in range(300):
            store.accept(store.message(dest=f"{project}-{i}.ex", project=project))
    jobs = [j for i in range(10) for j in store.take(64, owner=f"w{i}", free=30)[1] if j[2] != "a.ex"]
    got = projects_of(jobs)
    assert abs(got["2"] - 3 * got["1"]) <= 6 and abs(got["1"] - got["3"]) <= 2, got


def test_a_project_that_was_idle_has_no_credit(store):
    for project in ("1", "2"):
        store.fill(700, project=project)
    store.take(600, sites=[("a.ex", 600, 0)])
    for i in range(300):
        store.accept(*[store.message(dest=f"{project}-{i}.ex", project=project) for project in ("1", "2")])
    store.take(64, owner="x", free=50)
    store.fill(300, project="3")
    got = projects_of(store.take(30, sites=[("a.ex", 30, 0)])[1])
    assert all(9 <= n <= 11 for n in got.values()), got
    for i in range(100):
        store.accept(store.message(dest=f"3-{i}.ex", project="3"))
    got = projects_of(store.take(30, owner="y", free=30)[1])
    assert all(9 <= n <= 11 for n in got.values()), got


def test_a_project_that_comes_back_each_time_does_not_stop_the_others(store):
    """It has one job at a time, and a new one as soon as that is taken."""
    store.fill(100, project="2")
    got = Counter()
    for _ in range(40):
        store.fill(1, project="1") if store.read().ready.get("normal", 0) + got["2"] == 100 else None
        got += projects_of(store.take(1, sites=[("a.ex", 1, 0)])[1])
    assert got["2"] >= 19, got


def test_a_project_with_too_many_otp_jobs_delays_only_itself(store):
    store.scripts("init_partition", 100, "ins_test", 1)
    store.fill(500, lane="otp", project="1")
    store.fill(20, lane="normal", project="2")
    store.fill(20, lane="otp", project="3")
    s = store.read()
    assert s.otp_waiting == {"1": 100, "3": 20} and s.numbers["otp_late"] == 400 and s.ready == {"otp": 120, "normal": 420}
    first = [j for _ in range(16) for j in store.take(10, sites=[("a.ex", 10, 0)], shares=(0, 0))[1]]
    assert projects_of(first) == {"1": 120, "2": 20, "3": 20}, "of 420 jobs of lane normal, projects take turns"
    assert {lane_of(j) for j in first if project_of(j) == "1"} == {"otp"}, "the record keeps its lane"
    store.giveback(first)
    s = store.read()
    assert s.otp_waiting == {"1": 100, "3": 20}, s.otp_waiting


def test_a_capped_project_gets_no_connection_and_its_jobs_go_on(store):
    store.fill(10, project="1")
    store.fill(10, project="2")
    store.fill(1, dest="b.ex", project="1")
    store.fill(1, dest="c.ex", project="2t")
    slots, jobs = store.take(64, free=8, capped="1 7")
    assert slots == {"a.ex": 1, "c.ex": 1} and store.granted == {("a.ex", "2"): 1, ("c.ex", "2t"): 1} and projects_of(jobs) == {"2": 1, "2t": 1}
    slots, jobs = store.take(64, free=8, capped="1 7", sites=[("a.ex", 2, 3)])
    assert store.granted == {("a.ex", "2"): 3} and projects_of(jobs)["1"] >= 1, "on a connection that is open"
    assert store.waiting == 0
    store.take(64, free=8, capped="2 1", sites=[("a.ex", 0, 5)])
    assert store.granted == {}


def test_a_capped_project_gets_no_connection_to_a_site_that_rests_by_a_retry(store):
    me, = store.accept(store.message())
    store.rest("a.ex")
    store.take(8, free=8)
    store.retry(me)
    store.fill(1, project="2")
    assert store.take(8, free=8, capped="1") == ({}, []) and len(store.read().due) == 2


def test_the_connections_of_lane_otp_are_for_it_alone(store):
    for lane in ("otp", "normal", "bulk"):
        for i in range(5):
            store.fill(2, dest=f"{lane}{i}.ex", lane=lane)
    slots, _ = store.take(64, free=0, otp_free=3)
    assert set(slots) <= {f"otp{i}.ex" for i in range(5)} and len(slots) == 3 and store.waiting == 2
    slots, jobs = store.take(64, free=0, otp_free=3, sites=[("otp0.ex", 0, 2)])
    assert sum(slots.values()) == 3 and slots["otp0.ex"] == 1 and store.waiting == 1, "one job of otp0.ex was left"
    slots, jobs = store.take(64, free=4, otp_free=1)
    assert len(slots) == 4 and {lane_of(j) for j in jobs} <= {"normal", "bulk"} and store.waiting == 1
    store.take(64, free=8)
    assert store.waiting == 0


def test_ten_thousand_resting_sites_of_a_project_do_not_stop_the_others(store):
    for i in range(0, 10_000, 100):
        store.accept(*[store.message(dest=f"d{k}.ex") for k in range(i, i + 100)])
    for k in range(10_000):
        store.rest(f"d{k}.ex")
    store.fill(1, dest="victim.ex", project="2")
    n = store.commands(lambda: store.take(64, free=8))
    assert store.granted == {("victim.ex", "2"): 1}
    assert len(store.read().due) == 100 and n < 2500, n
    for _ in range(99):
        store.take(64, free=8)
    assert len(store.read().due) == 10_000


def leave_canceled(store, n=3000, **what):
    """Their refs stay in the lists of ready jobs."""
    for i in range(0, n, 100):
        store.scripts("cancel", RETENTION, *store.accept(*[store.message(**what) for _ in range(100)]))


def test_thousands_of_canceled_jobs_of_a_project_do_not_stop_new_connections_of_others(store):
    for lane in ("otp", "normal", "bulk"):
        leave_canceled(store, lane=lane)
        store.fill(1, dest=f"victim{lane}.ex", lane=lane, project="2")
    n = store.commands(lambda: store.take(64, free=8))
    assert store.granted == {(f"victim{lane}.ex", "2"): 1 for lane in ("otp", "normal", "bulk")} and n < 1500, (store.granted, n)


def test_thousands_of_canceled_jobs_of_a_project_do_not_stop_open_connections_of_others(store):
    leave_canceled(store, lane="bulk", dest="new.ex")
    leave_canceled(store)
    for dest in ("a.ex", "victim.ex"):
        store.fill(1, dest=dest, project="2")
    _, jobs = store.take(64, free=8, sites=[("a.ex", 1, 0), ("victim.ex", 1, 0)])
    assert Counter(j[2] for j in jobs) == {"a.ex": 1, "victim.ex": 1}


def test_a_take_that_leaves_canceled_jobs_in_the_lists_wakes_relays_until_all_are_gone(store):
    ear = Ear(store)
    leave_canceled(store, 1000)
    store.fill(1)
    takes = 1
    while not store.take(64, free=8)[1]:
        assert ear.heard() == 1
        takes += 1
    assert takes == 6 and store.read().ready == {}, (takes, store.read().ready)


def test_bytes_bound_a_take(store):
    store.accept(*[store.message(bytes=60_000) for _ in range(100)])
    _, jobs = store.take(100, sites=[("a.ex", 100, 0)], max_bytes=1 << 20)
    assert 17 <= len(jobs) <= 34, len(jobs)


# ---- sites that cannot be reached ----

def test_a_resting_site_gets_no_connection_and_each_mail_is_deferred_once(store):
    store.fill(150)
    store.rest("a.ex")
    store.fill(1, dest="b.ex")
    slots, jobs = store.take(64, free=8)
    assert slots == {"b.ex": 1} and len(jobs) == 1
    store.take(64, free=8)
    s = store.read()
    waiting = [m for m in s.records.values() if m.jobs[0].dest == "a.ex"]
    assert len(waiting) == 150 and all((r.state, r.attempts, r.code) == ("deferred", 0, 421) for m in waiting for r in m.recipients)
    assert set(s.due.values()) == {store.clock.now + 20_000} and len(s.due) == 150
    store.clock.move(20_000)
    store.scripts("promote", 200)
    store.take(1, owner="x", free=1)
    store.clock.move(1)
    store.rest("a.ex")
    store.slot("a.ex", 1, owner="x")
    for _ in range(3):
        store.take(64, free=8)
    s = store.read()
    assert len(s.due) == 149 and all(m.n == 2 for m in s.records.values() if m.jobs[0].dest == "a.ex")


def test_at_a_site_that_rests_one_job_that_was_asked_for_is_tried_and_the_others_wait(store):
    ids = store.accept(*[store.message(project=str(i % 3)) for i in range(9)])
    store.rest("a.ex")
    store.take(64, free=8)
    rests = store.read().rests
    for i in (4, 7):
        assert store.retry(ids[i]) == [1, 0, 0, 0]
    store.fill(3, project="2")
    slots, jobs = store.take(64, free=8)
    assert slots == {"a.ex": 1} and [j[0][:-3] for j in jobs] in ([ids[4]], [ids[7]])
    s = store.read()
    assert s.rests == rests and len(s.due) == 11 and not s.asked, "the others wait"
    store.settle(jobs, outcome="deferred")
    store.slot("a.ex", 1)
    store.scripts("promote", 100)
    assert store.take(64, free=8) == ({}, []), "it was tried once"


def test_between_two_retries_of_a_message_by_request_is_a_least_time(store):
    me, = store.accept(store.message())
    _, jobs = store.take(1, sites=[("a.ex", 1, 0)])
    for _ in range(2):
        assert store.retry(me) == [0, 1, 0, 0], "a relay has it: nothing was done"
    for due in (60_000, 60_000):
        assert store.scripts("settle", "w", RETENTION, *jobs[0][:2], due, "0 deferred 450 - later\n") == [1]
        assert store.retry(me) == [1, 0, 0, 0]
        _, jobs = store.take(1, sites=[("a.ex", 1, 0)])
        assert store.retry(me) == [0, 0, 0, 10_000]
        store.clock.move(9_999)
        assert store.retry(me) == [0, 0, 0, 1]
        store.clock.move(1)


def test_after_a_rest_one_connection_goes_first(store):
    store.fill(10)
    store.rest("a.ex")
    assert store.take(8, free=8) == ({}, [])
    store.clock.move(20_000)
    store.scripts("promote", 100)
    assert store.take(8, owner="a", free=8)[0] == {"a.ex": 1}
    assert store.take(8, owner="b", free=8) == ({}, []), "another relay waits for what becomes of it"
    assert store.take(8, owner="a", free=8, sites=[("a.ex", 1, 1)])[0] == {"a.ex": 1}, "it works"
    assert store.take(8, owner="b", free=8)[0] == {"a.ex": 1}


def test_rests_grow_to_their_limit_and_are_spread(store):
    rests = []
    for spread in (500, 500, 500, 500, 500, 500, 0, 999):
        till, n = store.rest("a.ex", spread=spread)
        assert n == len(rests) + 1 and store.rest("a.ex", spread=999) == [till, n], "told twice"
        rests.append(till - store.clock.now)
        store.clock.move(rests[-1])
    assert rests == [20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 225_000, 374_850]


def test_a_rest_defers_no_job_while_another_relay_has_a_connection(store):
    store.fill(10)
    store.take(1, owner="a", free=1)
    store.rest("a.ex")
    assert store.take(8, owner="b", free=8) == ({}, [])
    assert not store.read().due
    slots, jobs = store.take(8, owner="a", free=8, sites=[("a.ex", 3, 3)])
    assert slots == {} and len(jobs) == 3, "those that work go on, no more are opened"


def test_a_slot_whose_grant_was_lost_is_removed_by_the_next_report(store):
    store.fill(10)
    store.take(8, owner="a", free=8, limit=1)
    assert store.take(8, owner="b", free=8, limit=1) == ({}, [])
    assert store.take(8, owner="a", free=8, limit=1, only={"a.ex": 1}) == ({}, []), "it has it"
    slots, jobs = store.take(8, owner="a", free=8, limit=1, only={})
    assert slots == {"a.ex": 1} and len(jobs) == 1, "it had none: this is another one"
    assert store.read().slots == {"a.ex": 1}


# ---- wake-ups ----

class Ear:
    """Counts the publications on `wake`."""

    def __init__(self, store):
        self.client = Client(store.client.socket.getpeername())
        self.client("SSUBSCRIBE", ROOT + "wake")

    def heard(self):
        self.client.socket.settimeout(0.05)
        n = 0
        try:
            while self.client.read():
                n += 1
        except TimeoutError:
            self.client.file = self.client.socket.makefile("rb")
        self.client.socket.settimeout(None)
        return n


def test_ready_work_wakes_once_when_somebody_is_hungry(store):
    ear = Ear(store)
    store.fill(3)
    assert ear.heard() == 0, "nobody was hungry"
    store.take(64, free=8)
    assert ear.heard() == 0
    store.fill(3)
    store.fill(3)
    assert ear.heard() == 1, "the first ready job wakes, the others do not"
    store.take(1, sites=[("a.ex", 1, 0)])
    store.fill(1)
    assert ear.heard() == 0, "a take that got all it asked for is not hungry"


def test_a_scheduled_message_wakes_when_it_is_due(store):
    ear = Ear(store)
    store.take(8, free=8)
    store.accept(store.message(start=store.clock.now + 1000))
    assert ear.heard() == 0
    store.clock.move(1000)
    store.scripts("promote", 10)
    assert ear.heard() == 1


def test_room_at_a_full_site_wakes(store):
    ear = Ear(store)
    store.fill(10)
    store.take(8, owner="a", free=1, limit=1)
    assert store.take(8, owner="b", free=8, limit=1) == ({}, [])
    store.slot("a.ex", 1, owner="a")
    assert ear.heard() == 1
    assert store.take(8, owner="b", free=8, limit=1)[0] == {"a.ex": 1}


def test_a_dead_owner_wakes_for_its_jobs_and_its_room(store):
    ear = Ear(store)
    store.fill(10)
    store.take(8, owner="a", free=1, limit=1)
    store.take(8, owner="b", free=8, limit=1)
    store.release("a")
    assert ear.heard() == 1
    assert len(store.take(8, owner="b", free=8, limit=1)[1]) == 1


def test_a_job_given_back_to_another_site_wakes_for_the_jobs_after_it(store):
    ear = Ear(store)
    store.fill(10)
    _, jobs = store.take(8, owner="a", free=1, limit=1)
    store.take(8, owner="b", free=8, limit=1)
    store.giveback(jobs, owner="a", site="mx.one", delay=5000)
    assert ear.heard() == 1
    assert store.take(8, owner="b", free=8, limit=1)[0] == {"mx.one": 1}


if __name__ == "__main__":
    sys.exit(run_tests(sys.modules["__main__"]))

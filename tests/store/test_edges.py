"""Single cases that random steps seldom meet: damage, a full store, long lists, time."""
import sys
import time

from bugs import EDGE_BUGS
from one_store import find_bugs, run_tests
from redis_server import RedisError
from scripts import ROOT, generate
from world import RETENTION


def test_the_words_of_a_record_are_where_the_generated_names_say(store):
    """The server's reader of records gets its places from the lines --@row of lib/record.lua."""
    me, = store.accept(store.message(lane="bulk", project="7", unknown="fail", bytes=321))
    lines = store.get("m:" + me).split("\n")
    rows = {row: [name for name, _ in words] for (row, _), *words in generate.described((generate.LUA / "lib" / "record.lua").read_text(), "row")}
    head, job, recipient = (dict(zip(rows[row], line.split(" "), strict=True)) for row, line in zip(("head", "job", "recipient"), lines))
    now = str(store.clock.now)
    assert head == {"version": "1", "lane": "bulk", "mode": "live", "choices": "fail", "project": "7", "accepted_ms": now,
                    "deadline_ms": str(store.clock.now + 3_600_000), "open": "1", "events": "1", "jobs": "1", "recipients": "1", "bytes": "321",
                    "chunks": "0", "sender": "s@x.ex"}, head
    assert job == {"open": "1", "crashes": "0", "epoch": "0", "settled_epoch": "0", "destination": "a.ex"}, job
    assert recipient == {"state": "queued", "job": "0", "attempts": "0", "code": "0", "at_ms": "0", "event": "0", "email": "u@a.ex"}, recipient


def test_a_partition_that_lost_its_data_is_not_made_again(store):
    assert store.scripts("init_partition", 5, "ins_test", 0) == ["ins_test", ROOT] and store.get("otp_limit") == "5"
    assert store.scripts("init_partition", 6, "ins_other", 1) == ["ins_test", ROOT] and store.get("otp_limit") == "5"
    store.client("FLUSHDB")
    store.clock.move(0)
    for _ in range(2):
        assert store.scripts("init_partition", 5, "ins_test", 0) == ["", ROOT]
        assert store.client("EXISTS", ROOT + "otp_limit", ROOT + "instance", ROOT + "x_cursor") == 0
    assert store.scripts("init_partition", 5, "ins_test", 1) == ["ins_test", ROOT] and store.get("otp_limit") == "5"


def defer_again(store, me, times, reply="450"):
    """The job of the message is taken and deferred again; by a crash at its dot, when there is no reply."""
    for _ in range(times):
        _, jobs = store.take(1, sites=[("a.ex", 1, 0)], lease=1000)
        if reply:
            assert store.scripts("settle", "w", RETENTION, *jobs[0][:2], 0, f"a at {store.clock.now}\n0 deferred {reply} - later\n") == [1]
        else:
            assert store.scripts("dot", "w", 1000, 1, 1000, *jobs[0][:2])[1:] == [1]
            store.clock.move(1001)
            assert store.release()[1] == 1
            store.clock.move(1000)
        assert store.scripts("promote", 10)[0] == 1


def test_a_message_has_at_most_a_thousand_events_of_deferrals_and_the_last_one_says_so(store):
    me, = store.accept(store.message(within=86_400_000))
    defer_again(store, me, 999)
    m = store.read().records[me]
    assert m.n == len(m.events) == 1000 and m.events[-1][6] == "later"
    defer_again(store, me, 1)
    m = store.read().records[me]
    assert m.n == 1001 and m.events[-1][1:] == ("deferred", 0, store.clock.now, 0, "-", "further deferrals of this message are not logged")
    bytes_then, kept = len(m.text), m.attempts
    store.clock.move(50)
    defer_again(store, me, 5)
    m = store.read().records[me]
    assert m.n == 1001 and m.recipients[0].attempts == 1005 and m.recipients[0].state == "deferred" and m.attempts == kept
    assert len(m.text) <= bytes_then, "the record grew"
    defer_again(store, me, 2, reply=None)
    m = store.read().records[me]
    assert m.n == 1002 and m.events[-1][5] == "dup", "the first possible duplicate is always told"
    _, jobs = store.take(1, sites=[("a.ex", 1, 0)])
    assert store.settle(jobs) == [1]
    m = store.read().records[me]
    assert m.n == 1003 and m.events[-1][1] == m.recipients[0].state == "delivered" and m.open == 0


def test_the_tests_that_wait_for_an_endpoint_and_for_all_are_bounded(store):
    ask = lambda hook, event: store.scripts("endpoint_test", hook, event, "prj_1", 3, 5)
    for n, reply in enumerate((1, 1, 1, -1)):
        assert ask("whk_a", f"evt_{n}") == ask("whk_a", f"evt_{n}") == reply, "run again: the same"
    assert [ask("whk_b", f"evt_b{n}") for n in range(3)] == [1, 1, -1], "of all"
    assert store.client("LLEN", f"{ROOT}ht") == 5 and 0 < store.client("PTTL", f"{ROOT}ht") <= 60_000
    store.client("DEL", f"{ROOT}ht")
    assert ask("whk_a", "evt_4") == 1


def states(store, ids):
    records = store.read().records
    return [records[i].recipients[0].state for i in ids]


def test_a_damaged_record_is_set_aside_and_blocks_no_other(store):
    ids = store.accept(*[store.message() for _ in range(5)])
    whole = store.get("m:" + ids[1])
    for message_id, text in zip(ids[1:4], ("", "rubbish", whole[:60])):
        store.client("SET", f"{ROOT}m:{message_id}", text)
    _, jobs = store.take(8, free=1, sites=[("a.ex", 8, 0)])
    assert [j[0][:-3] for j in jobs] == [ids[0], ids[4]]
    assert store.client("LRANGE", ROOT + "damaged", 0, -1) == [i + "000" for i in ids[1:4]]
    assert store.settle(jobs) == [1, 1]


def test_damaged_records_raise_in_no_transition(store):
    ids = store.accept(store.message(), store.message(start=store.clock.now + 10), store.message())
    _, jobs = store.take(1, sites=[("a.ex", 1, 0)])
    for i in ids:
        store.client("SET", f"{ROOT}m:{i}", "rubbish")
    store.clock.move(100)
    assert store.settle(jobs) == [4]
    assert store.scripts("cancel", RETENTION, *ids) == [-1, 0] * 3
    assert store.scripts("promote", 10)[0] == 0
    store.clock.move(100_000)
    store.release()
    assert store.take(8, free=8)[1] == []
    assert sorted(store.client("LRANGE", ROOT + "damaged", 0, -1)) == sorted(i + "000" for i in ids)


def test_wrong_arguments_are_refused_before_anything_is_written(store):
    store.accept(store.message())
    _, jobs = store.take(1, sites=[("a.ex", 1, 0)])
    ref, epoch = jobs[0][:2]
    digest = store.client("DEBUG", "DIGEST")
    good = [ref, epoch, 0, "0 delivered 250 - ok\n"]
    attempts = ["a \n", "a" + " x" * 401 + "\n", "a \x1b\n", "a \xff\n", "a one\na two\n", "b one\n"]
    for bad in (["0 sent 250 - ok\n"], ["0 delivered 250 - ok"], ["0 delivered 250 - ok\nrubbish\n"], ["0 delivered 250 -\n"],
                *([a + "0 delivered 250 - ok\n"] for a in attempts), ["0 delivered 250 - ok\na one\n"]):
        try:
            store.scripts("settle", "w", RETENTION, *good, ref, epoch, 0, *bad)
            raise AssertionError(f"taken: {bad}")
        except RedisError as e:
            assert str(e).startswith("PNARG"), e
    for name, args in (("settle", ["w", RETENTION, ref]), ("accept", [0, 1, 2, "id"])):
        try:
            store.scripts(name, *args)
            raise AssertionError(f"taken: {name} {args}")
        except RedisError as e:
            assert str(e).startswith("PNARG"), e
    assert store.client("DEBUG", "DIGEST") == digest


def test_the_last_twenty_attempts_are_kept(store):
    message = store.message(within=10 ** 9)
    message[4] += "".join(f"1 0 0 0 d{i}.ex\n" for i in range(24))
    message[5] += "".join(f"queued {i + 1} 0 0 0 0 u@d{i}.ex\n" for i in range(24))
    message[7] += "000000" * 24
    me, = store.accept(message)
    sites = [("a.ex", 1, 0)] + [(f"d{i}.ex", 1, 0) for i in range(24)]

    def settle(outcome):
        _, jobs = store.take(25, sites=sites)
        jobs.sort()
        assert store.scripts("settle", "w", RETENTION, *[w for ref, epoch, *_ in jobs for w in (
            ref, epoch, 0, f"a {epoch}.{int(ref[-3:], 16)}\n{int(ref[-3:], 16)} {outcome} 250 - ok\n")]) == [1] * len(jobs)
        record = store.read().records[me]
        return [text for *_, text in record.attempts], len(jobs)
    assert settle("deferred") == ([f"1.{i}" for i in range(5, 25)], 25)
    store.clock.move(10)
    store.scripts("promote", 3)
    texts, n = settle("deferred")
    assert n == 3 and len(texts) == 20 and texts[:17] == [f"1.{i}" for i in range(8, 25)] and all(t[0] == "2" for t in texts[17:])
    store.scripts("promote", 100)
    texts, n = settle("delivered")
    assert n == 25 and len(texts) == 20
    assert len(store.read().records[me].events) == 1 + 25 + 3 + 25


def test_a_delivery_is_taken_though_redis_lost_its_last_writes(store):
    """Without fsync, a restart of Redis may forget the lease, or give its epoch to another relay, which has another result."""
    for outcome in (None, "deferred"):
        me, = store.accept(store.message(dest=f"{outcome}.ex"))
        before = store.get(f"m:{me}")
        job, = store.take(owner="first", free=9)[1]
        store.settle([job], owner="first", outcome="deferred")
        store.client("SET", f"pn:{{p0}}:m:{me}", before)    # as accept left it
        store.scripts("promote", 10)
        if outcome:
            job, = store.take(owner="second", free=9)[1]
            assert job[1] == 1 and store.settle([job], owner="second", outcome=outcome) == [1]
        assert store.settle([job], owner="first") == [3] and store.settle([job], owner="first") == [2]
        record = store.read().records[me]
        assert record.open == 0 and record.recipients[0].state == "delivered" and record.jobs[0].settled == record.jobs[0].epoch == 1


def two_recipients(store):
    message = store.message()
    message[4] = "2 0 0 0 a.ex\n"
    message[5] += "queued 0 0 0 0 0 v@a.ex\n"
    message[7] += "000000"
    return message


def test_final_results_of_some_recipients_keep_the_lease_for_the_others(store):
    me, = store.accept(two_recipients(store))
    _, jobs = store.take(1, sites=[("a.ex", 1, 0)])
    ref, epoch = jobs[0][:2]
    part = [ref, epoch, -1, "a first\n0 delivered 250 - ok\n"]

    def fence():
        return store.scripts("dot", "w", 660_000, 1, 60_000, ref, epoch)[1]
    assert fence() == 1
    assert store.scripts("settle", "w", RETENTION, *part) == [1]
    read = store.read()
    assert read.leases[ref] == (epoch, 0, "w") and ref not in read.due
    assert states(store, [me]) == ["delivered"] and read.records[me].recipients[1].state == "queued"
    # Run again, also after the next dot was marked, it changes nothing.
    assert fence() == 1
    assert store.scripts("settle", "w", RETENTION, *part) == [1]
    read = store.read()
    assert read.leases[ref] == (epoch, 1, "w") and len(read.records[me].attempts) == 1
    # The relay dies now: of the second recipient alone the outcome is unknown.
    assert store.release("w")[:2] == [1, 1]
    recipients = store.read().records[me].recipients
    assert [(r.state, r.attempts) for r in recipients] == [("delivered", 1), ("deferred", 1)]
    # What comes late is taken if it was delivered.
    assert store.scripts("settle", "w", RETENTION, ref, epoch, 0, "1 delivered 250 - ok\n") == [3]


def lease_of(read, ref):
    """The lease of a job, and when it expires and the job is due."""
    return read.leases.get(ref), read.ends.get(ref), read.due.get(ref)


PART = -1                                      # the lease stays
REPEATED = (                                   # (what settle gets of one job in one call, the statuses, the states)
    ([(0, "0 delivered\n1 delivered\n"), (0, "0 delivered\n1 delivered\n")], [1, 2], "delivered delivered"),
    ([(1000, "0 deferred\n1 deferred\n"), (0, "0 delivered\n")], [1, 2], "deferred deferred"),
    ([(1000, "0 deferred\n1 deferred\n"), (PART, "0 delivered\n")], [1, 2], "deferred deferred"),
    ([(PART, "0 delivered\n"), (0, "1 bounced\n")], [1, 1], "delivered bounced"),
    ([(PART, "0 delivered\n"), (1000, "1 deferred\n")], [1, 1], "delivered deferred"),
    ([(PART, "0 delivered\n"), (PART, "1 delivered\n")], [1, 1], "delivered delivered"),
    ([(PART, ""), (0, "0 delivered\n1 failed\n")], [1, 1], "delivered failed"),
    ([(PART, "0 delivered\n"), (PART, "0 delivered\n"), (PART, ""), (1000, "1 deferred\n")], [1, 1, 1, 1], "delivered deferred"),
)


def test_results_of_one_job_in_one_call_are_applied_in_order_and_the_lease_ends(store):
    """As when the journal of a dead relay has several, and Redis has lost its last writes."""
    for items, statuses, want in REPEATED:
        me, = store.accept(two_recipients(store))
        (ref, epoch, *_), = store.take(1, sites=[("a.ex", 1, 0)])[1]
        store.scripts("dot", "w", 660_000, 1, 60_000, ref, epoch)
        words = [w for delay, results in items for w in (ref, epoch, delay, results.replace("\n", " 250 - ok\n"))]
        assert store.scripts("settle", "w", RETENTION, *words) == statuses, items
        read = store.read()
        recipients = read.records[me].recipients
        assert " ".join(r.state for r in recipients) == want and {r.attempts for r in recipients} == {1}, items
        assert lease_of(read, ref) == (None, None, store.clock.now + 1000 if "deferred" in want else None), items


def test_a_job_whose_last_recipient_was_delivered_late_ends_when_its_relay_goes_on_with_the_others(store):
    """So the next fence of that relay fails, and nobody gets the mail again."""
    for results in ("", "0 delivered 250 - ok\n"):
        me, = store.accept(two_recipients(store))
        (ref, epoch, *_), = store.take(owner="first", free=9, lease=1000)[1]
        store.clock.move(1000)
        store.release()
        second, = store.take(owner="second", free=9)[1]
        assert store.scripts("dot", "second", 660_000, 1, 60_000, *second[:2])[1] == 1
        assert store.scripts("settle", "first", RETENTION, ref, epoch, 0, "0 delivered 250 - ok\n1 delivered 250 - ok\n") == [3]
        assert store.read().leases[ref][1]     # the second relay may have sent the mail
        assert store.scripts("settle", "second", RETENTION, *second[:2], PART, results) == [1]
        read = store.read()
        assert lease_of(read, ref) == (None, None, None) and read.records[me].jobs[0].settled == second[1]
        assert [r.state for r in read.records[me].recipients] == ["delivered"] * 2
        store.slot("a.ex", 1, owner="second")
        store.slot("a.ex", 1, owner="first")


def test_the_seeded_bugs_are_found(store):
    def work(broken):
        test_results_of_one_job_in_one_call_are_applied_in_order_and_the_lease_ends(broken)
        test_a_job_whose_last_recipient_was_delivered_late_ends_when_its_relay_goes_on_with_the_others(broken)
    find_bugs(store, EDGE_BUGS, work)


def test_a_dot_that_was_refused_for_a_time_is_cleared_for_the_next_host(store):
    me, = store.accept(store.message())
    _, jobs = store.take(1, sites=[("a.ex", 1, 0)])
    ref, epoch = jobs[0][:2]
    assert store.scripts("dot", "w", 660_000, 1, 60_000, ref, epoch)[1] == 1
    assert store.scripts("settle", "w", RETENTION, ref, epoch, -1, "") == [1]
    read = store.read()
    assert read.leases[ref] == (epoch, 0, "w") and read.records[me].n == 1 and not read.records[me].attempts
    # The relay dies now: nothing was sent, and the job is ready again.
    assert store.release("w")[:2] == [1, 0]
    assert states(store, [me]) == ["queued"]
    # A lost lease is not changed.
    assert store.scripts("settle", "w", RETENTION, ref, epoch, -1, "") == [0]


def test_transcripts_live_no_longer_than_their_message_may(store):
    me, = store.accept(store.message(within=3_600_000))
    assert store.scripts("transcript", 20, RETENTION, me, "0 1 ", b"\x00\xff\n") == 1
    life = 3_600_000 + RETENTION
    assert life <= store.client("PTTL", f"{ROOT}t:{me}") <= life + 7_200_000
    store.clock.move(100_000_000)
    assert store.scripts("transcript", 20, RETENTION, me, "0 2 ", "x") == 1
    assert RETENTION <= store.client("PTTL", f"{ROOT}t:{me}") <= RETENTION + 7_200_000
    store.client("SET", f"{ROOT}m:{me}", "rubbish")
    assert store.scripts("transcript", 20, RETENTION, me, "0 3 ", "x") == 0
    assert store.client("LLEN", f"{ROOT}t:{me}") == 2


def refused_for_memory(store, message):
    keys = store.client("DBSIZE")
    try:
        store.accept(message)
    except RedisError as e:
        return "OOM" in str(e) and store.client("DBSIZE") == keys
    return False


def test_a_full_store_accepts_nothing_new_and_drains(store):
    ids = store.accept(*[store.message() for _ in range(40)])
    store.accept(store.message(start=store.clock.now + 5))
    _, jobs = store.take(30, owner="a", sites=[("a.ex", 30, 0)])
    try:
        store.client("CONFIG", "SET", "maxmemory", 1)
        assert refused_for_memory(store, store.message())
        assert store.settle(jobs[:10], owner="a") == [1] * 10
        try:
            store.scripts("transcript", 20, RETENTION, ids[0], "0 1 ", "x")
            raise AssertionError("a full store takes transcripts")
        except RedisError as e:
            assert "OOM" in str(e)
        assert store.scripts("dot", "a", 60_000, 1, 60_000, jobs[10][0], jobs[10][1])[1] == 1
        assert store.giveback(jobs[11:12], owner="a") == [1]
        store.slot("a.ex", 1, owner="a")
        assert store.release("a")[0] == 19
        assert store.scripts("cancel", RETENTION, ids[39]) == [1, 0]
        store.client("CONFIG", "SET", "maxmemory", 0)
        store.clock.move(7_200_000)
        store.client("CONFIG", "SET", "maxmemory", 1)
        assert store.scripts("promote", 10)[0] == 2
        while store.scripts("expire", 100, RETENTION)[2] > 0:
            pass
    finally:
        store.client("CONFIG", "SET", "maxmemory", 0)
    assert not set(states(store, ids)) & {"queued", "deferred"}


def test_twenty_thousand_entries_of_canceled_jobs_block_no_take(store):
    ids = []
    for _ in range(200):
        ids += store.accept(*[store.message() for _ in range(100)])
    for i in range(0, len(ids), 500):
        store.scripts("cancel", RETENTION, *ids[i:i + 500])
    last = store.accept(store.message())
    got = []
    for n in range(150):
        _, got = store.take(8, free=8)
        if got:
            break
    assert [j[0][:-3] for j in got] == last and n == 100, (n, got)    # 200 places a take for each project


def test_a_take_that_only_cleaned_up_returns_the_same_when_repeated(store):
    ids = [i for _ in range(30) for i in store.accept(*[store.message() for _ in range(100)])]
    for i in range(0, len(ids), 500):
        store.scripts("cancel", RETENTION, *ids[i:i + 500])
    words = ["w", "again", 8, 1 << 20, 60_000, 60_000, 4, 8, 0, "", 100, 200, RETENTION, 0]
    first, digest = store.scripts("take", *words), store.client("DEBUG", "DIGEST")
    assert first[1:3] == [[], []]
    assert store.scripts("take", *words)[:3] == first[:3] and store.client("DEBUG", "DIGEST") == digest


def test_the_log_is_trimmed_after_the_retention(store):
    for i in range(500):
        store.accept(store.message())
    name = ROOT + "ev:1"
    entries = [e[0] for e in store.client("XRANGE", name, "-", "+")]
    assert len(entries) == 500
    store.clock.move(round(time.time() * 1000) - store.clock.now)
    store.scripts("sweep", 10, 3_600_000, 1, 2)
    assert store.client("XLEN", name) == 500 and store.read().cut == {}
    store.clock.move(int(entries[250].split("-")[0]) + 3_600_000 - store.clock.now)
    store.scripts("sweep", 10, 3_600_000, 1, 2)
    left = [e[0] for e in store.client("XRANGE", name, "-", "+")]
    assert 250 <= len(left) < 500 and left == entries[-len(left):] and store.read().cut == {"1": entries[-len(left) - 1]}
    store.clock.move(100_000)
    store.scripts("sweep", 10, 3_600_000, 1, 2)
    assert store.client("XLEN", name) == 0 and store.read().cut == {"1": entries[-1]}
    store.scripts("sweep", 10, 3_600_000, 1, 2)
    assert store.read().cut == {"1": entries[-1]}


def test_an_idempotency_key_is_kept_for_its_time(store):
    message = store.message()
    message[2] = "hash"
    store.accept(message)
    assert 86_000_000 < store.client("PTTL", f"{ROOT}i:1:hash") <= 86_400_000


def test_an_idempotency_key_is_claimed_once_and_keeps_one_response(store):
    claim = lambda token, fingerprint="f": store.scripts("response_claim", "1", "hash", fingerprint, token, "seed-" + token, 30_000, 86_400_000)
    finish = lambda token, status=201, text="a b\0": store.scripts("response_finish", "1", "hash", "f", token, status, text, 86_400_000)
    key = f"{ROOT}rsp:1:hash"
    mine, in_hand, conflict = [1, 0, "seed-one"], [4, 0, ""], [3, 0, ""]
    assert [claim("one"), claim("one"), claim("two"), claim("two", "g")] == [mine, mine, in_hand, conflict]
    assert 86_000_000 < store.client("PTTL", key) <= 86_400_000
    assert finish("two") == 0 and finish("two", 0) == 0 and claim("two")[0] == 4, "it has no claim"
    assert [finish("one", 0), claim("two")] == [1, [1, 0, "seed-two"]], "the key was given back"
    assert [finish("one", 202), finish("one", 0), finish("one", 1)] == [0, 0, 0]
    assert [finish("two", 1), finish("two", 1), claim("one"), claim("two"), finish("two")] == [1, 1, [1, 0, "seed-two"], in_hand, 0], "released"
    store.clock.move(30_000)
    assert [claim("three"), claim("one"), finish("one"), claim("three")] == [[1, 0, "seed-two"], in_hand, 0, [1, 0, "seed-two"]], "its lease is over"
    assert [finish("three"), finish("three"), finish("one", 0)] == [1, 1, 0]
    assert [claim("one"), claim("two"), claim("two", "g")] == [[2, 201, "a b\0"], [2, 201, "a b\0"], conflict]
    assert 86_000_000 < store.client("PTTL", key) <= 86_400_000
    assert store.scripts("response_claim", "1t", "hash", "f", "one", "s", 30_000, 1)[0] == 1, "another space"


def test_the_clock_may_jump_a_year_and_back(store):
    old = store.accept(store.message(within=10 ** 12))
    store.clock.move(400 * 86_400_000)
    while store.scripts("expire", 100, RETENTION)[2] > 0:
        pass
    while store.scripts("sweep", 100, RETENTION)[1] > 0:
        pass
    store.clock.move(-400 * 86_400_000)
    new = store.accept(store.message(within=60_000))
    assert states(store, old + new) == ["queued"] * 2
    for _ in range(4):
        store.clock.move(60_000)
        store.scripts("expire", 100, RETENTION)
    assert states(store, old + new) == ["queued", "expired"]
    for _ in range(4):
        store.clock.move(3_600_000)
        store.scripts("sweep", 100, RETENTION)
    assert store.get("m:" + new[0]) is None and store.get("m:" + old[0])


def test_jobs_given_back_together_keep_their_order(store):
    ids = store.accept(*[store.message() for _ in range(6)])
    _, jobs = store.take(4, sites=[("a.ex", 4, 0)])
    store.giveback(jobs)
    _, jobs = store.take(6, sites=[("a.ex", 6, 0)])
    assert [j[0][:-3] for j in jobs] == ids


if __name__ == "__main__":
    sys.exit(run_tests(sys.modules["__main__"]))

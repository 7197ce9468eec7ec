"""The promise of a 202 holds when Redis, a relay, an API process or everything at once dies."""
import base64
import os
import signal
import subprocess
import threading
import time
from http.client import HTTPException

import pytest

from support import harness

FAST = {"retry_first_s": 1, "retry_first_otp_s": 1, "retry_max_s": 2}


@pytest.fixture
def redis(make_redis):
    return make_redis()


@pytest.fixture
def server(make_postern, world, redis):
    return make_postern({**world.settings, **FAST}, redis=redis)


def accepted(server, rcpt, **fields):
    answer = server.send(rcpt, key=server.live_key, **fields)
    assert answer.status == 202, answer
    return answer.json()["id"]


def state(message):
    r, = message["recipients"]
    return r


# ---- Redis dies ----

def test_while_redis_is_down_nothing_is_accepted_and_nothing_is_lost(server, redis, world):
    before = [accepted(server, f"ok-before{i}@d25.test") for i in range(20)]
    redis.kill()
    answer = server.send("ok-during@d25.test", key=server.live_key)
    assert answer.status == 503
    assert answer.json()["type"] == "/problems/not-accepted"
    assert int(answer.headers["Retry-After"]) >= 1
    ready = harness.wait_for(lambda: (a := server.internal("/readyz")).status == 503 and a, 15)
    assert b"redis" in ready.body.lower() or b"store" in ready.body.lower()
    assert server.request("GET", "/healthz", key=None).status == 200
    redis.start()
    server.wait_ready()
    after = accepted(server, "ok-after@d25.test")
    for id in [*before, after]:
        assert server.wait_terminal(id, key=server.live_key)["status"] == "delivered"
    assert not world.sink.taken("ok-during@d25.test")


def test_a_read_while_redis_is_down_is_unavailable_not_absent(server, redis):
    id = accepted(server, "ok-read@d25.test")
    server.wait_terminal(id, key=server.live_key)
    redis.kill()
    answer = server.request("GET", f"/v1/messages/{id}", key=server.live_key)
    assert answer.status == 503
    redis.start()
    server.wait_ready()
    assert server.message(id, key=server.live_key)["status"] == "delivered"


def test_a_relay_keeps_a_result_while_redis_is_down(server, redis, world):
    """The dot was fenced, Redis dies, the server says 250: that is delivered once, not twice."""
    id = accepted(server, "slow_dot_1500-held@d26.test")
    world.sink.wait_begun("slow_dot_1500-held@d26.test")
    redis.kill()
    world.sink.wait_taken("slow_dot_1500-held@d26.test")
    time.sleep(0.5)
    redis.start()
    message = server.wait_terminal(id, key=server.live_key, timeout=40)
    assert message["status"] == "delivered"
    assert len(world.sink.taken("slow_dot_1500-held@d26.test")) == 1
    assert "possible_duplicate" not in state(message)


def test_a_cached_key_cannot_send_while_redis_is_down(server, redis):
    accepted(server, "ok-warm@d25.test")
    redis.kill()
    for _ in range(3):
        assert server.send("ok-no@d25.test", key=server.live_key).status == 503
        time.sleep(0.6)
    redis.start()
    server.wait_ready()


def test_a_connection_lost_during_accept_still_leads_to_a_definite_response(server, redis, world):
    """Redis is stopped with the script in its socket, and its connections are cut meanwhile."""
    answers = []
    headers = {"Idempotency-Key": "stalled"}
    os.kill(redis.process.pid, signal.SIGSTOP)
    asking = threading.Thread(target=lambda: answers.append(
        server.send("ok-stall@d26.test", key=server.live_key, http_headers=headers)))
    asking.start()
    time.sleep(1.5)
    os.kill(redis.process.pid, signal.SIGCONT)
    asking.join(30)
    again = server.send("ok-stall@d26.test", key=server.live_key, http_headers=headers)
    assert again.status == 202
    if answers[0].status == 202:
        assert again.json()["id"] == answers[0].json()["id"]
    else:
        assert answers[0].json()["type"] in ("/problems/not-accepted", "/problems/outcome-unknown")
    server.wait_terminal(again.json()["id"], key=server.live_key)
    time.sleep(0.5)
    assert len(world.sink.taken("ok-stall@d26.test")) == 1


def test_scripts_that_redis_forgot_are_loaded_again(server, redis):
    load = Load(server, "d27.test", rate=50).start()
    for _ in range(10):
        time.sleep(0.15)
        redis("FUNCTION", "FLUSH", "SYNC")
    load.stop()
    assert load.refused == 0 and not load.unknown
    load.assert_all_delivered()


def test_a_busy_redis_delays_mail_and_loses_none(server, redis):
    """After -BUSY no mail fails, and none is lost."""
    redis("CONFIG", "SET", "busy-reply-threshold", "100")
    busy = threading.Thread(target=lambda: run_quietly(
        redis, "EVAL", "local t = redis.call('TIME')[1] + 2 while redis.call('TIME')[1] + 0 < t do end", "0"))
    busy.start()
    time.sleep(0.4)
    answer = server.send("ok-busy@d26.test", key=server.live_key, http_headers={"Idempotency-Key": "busy"})
    assert answer.status in (202, 503), answer
    busy.join(20)
    server.wait_ready()
    again = server.send("ok-busy@d26.test", key=server.live_key, http_headers={"Idempotency-Key": "busy"})
    assert again.status == 202
    assert server.wait_terminal(again.json()["id"], key=server.live_key)["status"] == "delivered"


def run_quietly(redis, *words):
    try:
        redis(*words)
    except harness.RedisError:
        pass


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(path)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("may not mount")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_under_redis_refuses_mail_and_loses_none(small_disk, make_postern, world, stack):
    """With appendfsync always Redis exits when it cannot write. All confirmed writes are there afterwards."""
    redis = stack.add(harness.Redis(small_disk / "redis")).start()
    server = make_postern({**world.settings, **FAST}, redis=redis)
    kept = [accepted(server, f"first2fail-kept{i}@d37.test") for i in range(10)]
    ballast = small_disk / "ballast"
    fill(ballast)
    large = base64.b64encode(os.urandom(300_000)).decode()
    refused = harness.wait_for(lambda: (a := server.send("ok-nospace@d37.test", key=server.live_key, attachments=[
        {"filename": "f", "content": large}])).status == 503 and a, 30)
    assert refused.json()["type"] in ("/problems/not-accepted", "/problems/outcome-unknown")
    harness.wait_for(lambda: redis.process.poll() is not None, 10, what="Redis ends itself")
    hint = "Redis has ended; its own log says why. A full disk ends it"
    harness.wait_for(lambda: hint in server.internal("/readyz").body.decode(), 20, what="/readyz names the disk")
    harness.wait_for(lambda: hint in server.send("ok-nospace@d37.test", key=server.live_key).json()["detail"], 20,
                     what="the 503 names the disk")
    assert any(line["fact"] == "store.cannot_connect" and hint in line["reason"] for line in server.log_lines())
    ballast.unlink()
    redis.start()
    server.wait_ready()
    for i, id in enumerate(kept):
        assert server.wait_terminal(id, key=server.live_key, timeout=40)["status"] == "delivered"
        assert len(world.sink.taken(f"first2fail-kept{i}@d37.test")) == 1


def test_a_full_disk_under_the_embedded_redis_is_named(small_disk, make_postern, world):
    """In /readyz, in the 503 and in the log; with room again, mail is accepted again."""
    server = make_postern({**world.settings, **FAST, "data_dir": str(small_disk / "data")})
    accepted(server, "ok-before@d37.test")
    ballast = small_disk / "ballast"
    fill(ballast)
    large = base64.b64encode(os.urandom(300_000)).decode()
    attachments = [{"filename": "f", "content": large}]

    def names_the_disk():
        answer = server.send("ok-nospace@d37.test", key=server.live_key, attachments=attachments)
        return answer.status == 503 and "is full" in answer.json()["detail"]
    harness.wait_for(names_the_disk, 40, what="a 503 that names the disk")
    server.wait_not_ready(f"the disk of {small_disk / 'data'} is full", fact="store.not_ready")
    ballast.unlink()
    server.wait_ready()
    accepted(server, "ok-after@d37.test")


def fill(path):
    with open(path, "wb", buffering=0) as f:
        for size in (1 << 20, 1 << 12):
            try:
                while f.write(b"x" * size) == size:
                    pass
            except OSError:
                pass


# ---- our own processes die ----

def test_a_relay_killed_before_the_dot_costs_nothing(server, world):
    ids = [accepted(server, f"slow_rcpt_1500-kill{i}@d28.test") for i in range(4)]
    for i in range(4):
        world.sink.wait_begun(f"slow_rcpt_1500-kill{i}@d28.test")
    for pid in server.children("relay"):
        os.kill(pid, signal.SIGKILL)
    for i, id in enumerate(ids):
        message = server.wait_terminal(id, key=server.live_key, timeout=40)
        assert message["status"] == "delivered"
        assert "possible_duplicate" not in state(message)
        assert len(world.sink.taken(f"slow_rcpt_1500-kill{i}@d28.test")) == 1


def test_leases_of_a_relay_that_was_killed_during_its_drain_are_released_at_the_next_start(make_postern, world):
    """The supervisor is dead as well, so no other process releases them before they expire."""
    server = make_postern({**world.settings, **FAST})
    id = accepted(server, "slow_rcpt_3000-hurry@d34.test")
    world.sink.wait_begun("slow_rcpt_3000-hurry@d34.test")
    relays = server.children("relay")
    os.kill(server.process.pid, signal.SIGSTOP)
    for _ in range(2):
        for pid in relays:
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.2)
    harness.wait_for(lambda: server.log().count("relay.ended") == len(relays), what="the relays' ends")
    server.kill_all()
    server.start()
    assert server.wait_terminal(id, key=server.live_key, timeout=40)["status"] == "delivered"


def test_a_relay_killed_between_dot_and_reply_flags_the_second_try(server, world):
    id = accepted(server, "slow_dot_2000-window@d28.test")
    world.sink.wait_begun("slow_dot_2000-window@d28.test")
    for pid in server.children("relay"):
        os.kill(pid, signal.SIGKILL)
    message = server.wait_terminal(id, key=server.live_key, timeout=40)
    assert message["status"] == "delivered"
    assert state(message)["possible_duplicate"] is True
    rows = world.sink.taken("slow_dot_2000-window@d28.test")
    assert 1 <= len(rows) <= 2 and len({r["sha"] for r in rows}) == 1


def test_a_relay_killed_between_dot_and_reply_fails_a_mail_with_on_unknown_fail(server, world):
    id = accepted(server, "slow_dot_2000-never@d28.test", on_unknown="fail")
    world.sink.wait_begun("slow_dot_2000-never@d28.test")
    for pid in server.children("relay"):
        os.kill(pid, signal.SIGKILL)
    assert server.wait_terminal(id, key=server.live_key, timeout=40)["status"] == "failed"
    assert len(world.sink.taken("slow_dot_2000-never@d28.test")) <= 1


def test_an_api_process_killed_between_commit_and_response_replays(server, world):
    """The same key gives one message, whatever the client received."""
    rounds = 6
    for n in range(rounds):
        headers = {"Idempotency-Key": f"cut{n}"}
        both = harness.wait_for(lambda: len(c := server.children("api")) == 2 and sorted(c), 20)
        victim = both[n % 2]
        killer = threading.Timer(0.002 * (n % 5), os.kill, (victim, signal.SIGKILL))
        killer.start()
        ids = set()
        end = time.monotonic() + 20
        while len(ids) == 0 and time.monotonic() < end:
            try:
                answer = server.send(f"ok-cut{n}@d29.test", key=server.live_key, http_headers=headers)
                if answer.status == 202:
                    ids.add(answer.json()["id"])
            except (OSError, HTTPException):
                time.sleep(0.05)
        killer.join()
        again = ask_until_answered(server, f"ok-cut{n}@d29.test", headers)
        ids.add(again.json()["id"])
        assert len(ids) == 1
        assert again.headers["Idempotent-Replayed"] == "true"
        server.wait_terminal(ids.pop(), key=server.live_key)
    for n in range(rounds):
        assert len(world.sink.taken(f"ok-cut{n}@d29.test")) == 1


def ask_until_answered(server, rcpt, headers):
    def ask():
        try:
            answer = server.send(rcpt, key=server.live_key, http_headers=headers)
            return answer if answer.status == 202 else None
        except (OSError, HTTPException):
            return None
    return harness.wait_for(ask, 20)


def test_a_killed_keeper_comes_back_and_retries_go_on(server):
    id = accepted(server, "first2fail-keeper@d29.test")
    for pid in server.children("keeper"):
        os.kill(pid, signal.SIGKILL)
    assert server.wait_terminal(id, key=server.live_key, timeout=40)["status"] == "delivered"


def test_after_a_crash_of_everything_a_cold_start_goes_on_by_itself(make_postern, world, tmp_path):
    server = make_postern({**world.settings, **FAST})
    ids = [accepted(server, f"slow_rcpt_300-cold{i}@d30.test") for i in range(20)]
    server.kill_all()
    started = time.monotonic()
    server.start()
    for id in ids:
        assert server.wait_terminal(id, key=server.live_key, timeout=60)["status"] == "delivered"
    assert time.monotonic() - started < 60
    for i in range(20):
        rcpt = f"slow_rcpt_300-cold{i}@d30.test"
        r = state(server.message(ids[i], key=server.live_key))
        assert len(world.sink.taken(rcpt)) == 1 or r["possible_duplicate"]


def test_a_relay_that_slept_through_its_lease_does_not_send(make_postern, redis, world):
    """Asleep between RCPT and the dot, its lease runs out, another relay delivers: then the fence says no."""
    sleepy = make_postern({**world.settings, **FAST, "workers_relay": 1}, redis=redis)
    id = accepted(sleepy, "slow_rcpt_1000-asleep@d31.test")
    world.sink.wait_begun("slow_rcpt_1000-asleep@d31.test")
    relay, = sleepy.children("relay")
    os.kill(relay, signal.SIGSTOP)
    ref, = redis("ZRANGE", "pn:{p0}:lease_end", "0", "-1")
    redis("ZADD", "pn:{p0}:lease_end", "1", ref)
    harness.wait_for(lambda: redis("ZCARD", "pn:{p0}:lease_end") == 0, 15, what="the keeper takes the lease back")
    make_postern({**world.settings, **FAST, "roles": "relay"}, redis=redis, start=False).launch()
    message = sleepy.wait_terminal(id, key=sleepy.live_key, timeout=30)
    os.kill(relay, signal.SIGCONT)
    time.sleep(3)
    assert message["status"] == "delivered"
    assert len(world.sink.taken("slow_rcpt_1000-asleep@d31.test")) == 1
    assert "possible_duplicate" not in state(sleepy.message(id, key=sleepy.live_key))
    assert sleepy.deliver("ok-awake@d31.test", key=sleepy.live_key)["status"] == "delivered"


# ---- SIGTERM ----

class Load:
    """Messages at a steady rate from one thread."""

    def __init__(self, server, domain, rate=100, verb="ok"):
        self.server, self.domain, self.rate, self.verb = server, domain, rate, verb
        self.ids = {}
        self.refused = self.n = 0
        self.unknown = set()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def run(self):
        while not self.over.wait(1 / self.rate):
            self.n += 1
            rcpt = f"{self.verb}-load{self.n}@{self.domain}"
            try:
                answer = self.server.send(rcpt, key=self.server.live_key)
            except ConnectionRefusedError:
                self.refused += 1
                continue
            except (OSError, HTTPException):
                self.unknown.add(rcpt)
                continue
            if answer.status == 202:
                self.ids[rcpt] = answer.json()["id"]
            else:
                self.refused += 1

    def stop(self):
        self.over.set()
        self.thread.join(60)

    def assert_all_delivered(self):
        assert self.ids
        for id in self.ids.values():
            assert self.server.wait_terminal(id, key=self.server.live_key, timeout=40)["status"] == "delivered"


def test_sigterm_under_load_ends_clean_and_duplicates_nothing(server, world):
    load = Load(server, "d32.test", rate=150, verb="slow_dot_100").start()
    time.sleep(2)
    server.stop()
    load.stop()
    server.start()
    load.assert_all_delivered()
    taken = [r["rcpt"] for r in world.sink.taken() if r["rcpt"].endswith("@d32.test")]
    assert len(taken) == len(set(taken))
    assert set(load.ids) <= set(taken)
    assert not load.unknown & set(taken), "what was accepted must have been answered"


def test_sigterm_lets_an_open_dot_end(server, world):
    id = accepted(server, "slow_dot_2500-drain@d33.test")
    world.sink.wait_begun("slow_dot_2500-drain@d33.test")
    server.stop()
    row, = world.sink.taken("slow_dot_2500-drain@d33.test")
    assert not row["reply_lost"]
    server.start()
    message = server.wait_terminal(id, key=server.live_key)
    assert message["status"] == "delivered" and "possible_duplicate" not in state(message)


def test_sigterm_with_redis_gone_still_ends(make_postern, redis, world):
    """The result stays in the journal, and the next start settles it."""
    server = make_postern({**world.settings, **FAST, "drain_s": 2}, redis=redis)
    id = accepted(server, "slow_dot_1500-journal@d33.test")
    world.sink.wait_begun("slow_dot_1500-journal@d33.test")
    redis.kill()
    world.sink.wait_taken("slow_dot_1500-journal@d33.test")
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(60)
    finally:
        redis.start()
    server.process = None
    server.start()
    message = server.wait_terminal(id, key=server.live_key, timeout=40)
    assert message["status"] == "delivered"
    assert len(world.sink.taken("slow_dot_1500-journal@d33.test")) == 1


def test_sigkill_soon_after_sigterm_costs_nothing_but_open_dots(make_postern, world):
    server = make_postern({**world.settings, **FAST})
    ids = {i: accepted(server, f"slow_rcpt_1000-soon{i}@d34.test") for i in range(10)}
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    server.kill_all()
    server.start()
    for i, id in ids.items():
        message = server.wait_terminal(id, key=server.live_key, timeout=60)
        assert message["status"] == "delivered"
        assert len(world.sink.taken(f"slow_rcpt_1000-soon{i}@d34.test")) == 1 or state(message)["possible_duplicate"]


def test_mail_that_crashes_relays_is_deferred_then_held_and_sent_after_its_release(make_postern, world, redis):
    server = make_postern({**world.settings, "workers_relay": 1, "retry_first_s": 600}, redis=redis)
    rcpt = "slow_rcpt_2500-poison@d26.test"
    id = accepted(server, rcpt)

    def begun():
        return sum(row["code"] == 0 for row in world.sink.rows(rcpt))

    def let_go():
        assert server.request("POST", f"/v1/messages/{id}/retry", key=server.live_key).status in (200, 409)
        return begun() > deaths
    for deaths in range(1, 6):
        harness.wait_for(lambda: begun() == deaths, 30, what=f"try {deaths}")
        relay, = server.children("relay")
        os.kill(relay, signal.SIGKILL)
        if deaths == 3:     # no longer first in line, and it says so
            told = state(server.wait_status(id, "deferred", key=server.live_key))
            assert "died 3 times" in str(told) and told["next_attempt_at"]
        if deaths in (3, 4):
            harness.wait_for(let_go, 30, 0.3, what="another try by request")
    server.wait_status(id, "held", key=server.live_key)
    assert server.metric('postern_recipients_total{state="held"}') == 1
    assert any(line["fact"] == "jobs.held" for line in server.log_lines())
    harness.wait_for(let_go, 30, 0.3, what="the try that it was let go for")
    assert state(server.wait_terminal(id, key=server.live_key, timeout=30))["status"] == "delivered"

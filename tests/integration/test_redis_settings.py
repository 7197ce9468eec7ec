"""A Redis that would lose mail, or is not ours, is refused: not ready, and no 202."""
import time

import pytest

from support import harness


def not_ready(server, *words):
    """/readyz is 503 and names the reason; a send gets 503 not-accepted."""
    def reason():
        try:
            answer = server.internal("/readyz")
        except OSError:
            return None
        assert answer.status == 503, answer
        text = answer.body.decode().lower()
        return answer if all(word in text for word in words) else None
    answer = harness.wait_for(reason, 20, what=f"/readyz names {words}")
    assert server.request("GET", "/healthz", key=None).status == 200
    return answer


def refuses_to_send(server, key):
    answer = server.send("ok-refused@d35.test", key=key)
    assert answer.status == 503, answer
    assert answer.json()["type"] == "/problems/not-accepted"


def launched(make_postern, redis, **settings):
    """Started, but not yet ready; alive."""
    server = make_postern(settings, redis=redis, start=False, crashes=True).launch()

    def lives():
        assert server.process.poll() is None, server.log()[-2000:]
        try:
            return server.request("GET", "/healthz", key=None).status == 200
        except OSError:
            return False
    harness.wait_for(lives, 20)
    return server


BAD_SETTINGS = [("appendonly", "no", "appendonly"), ("appendfsync", "everysec", "appendfsync"),
                ("maxmemory-policy", "allkeys-lru", "maxmemory"),
                ("no-appendfsync-on-rewrite", "yes", "no-appendfsync-on-rewrite")]


@pytest.mark.parametrize("name, value, word", BAD_SETTINGS, ids=[f"{n}-{v}" for n, v, _ in BAD_SETTINGS])
def test_a_setting_that_loses_mail_is_refused_by_name(make_redis, make_postern, name, value, word):
    redis = make_redis()
    server = make_postern(redis=redis, crashes=True)
    server.stop()
    redis("CONFIG", "SET", name, value)
    server.launch()
    harness.wait_for(lambda: is_alive(server), 20)
    not_ready(server, word)
    refuses_to_send(server, server.live_key)


def test_a_setting_put_right_makes_the_server_ready(make_redis, make_postern):
    redis = make_redis(appendfsync="everysec")
    server = launched(make_postern, redis)
    not_ready(server, "appendfsync")
    redis("CONFIG", "SET", "appendfsync", "always")
    server.wait_ready(80)
    server.make_keys()
    answer = harness.wait_for(lambda: (a := server.send("ok-x@d35.test")).status == 202 and a, 10)  # of whichever process
    assert answer.json()["durability"] == "fsync"


def test_relaxed_durability_accepts_and_every_202_says_so(make_redis, make_postern):
    server = make_postern({"durability": "relaxed"}, redis=make_redis(appendfsync="everysec"))
    answer = server.send("ok-relaxed@d35.test")
    assert answer.status == 202
    assert answer.json()["durability"] == "relaxed"


def test_fsync_durability_says_so(make_redis, make_postern):
    server = make_postern(redis=make_redis())
    assert server.send("ok-fsync@d35.test").json()["durability"] == "fsync"


def test_the_start_waits_for_redis(make_redis, make_postern):
    redis = make_redis()
    redis.kill()
    server = launched(make_postern, redis)
    not_ready(server)
    refuses_to_send(server, "pn_live_0123456789abcdefghjkmnpqrstvwxyz01234567")
    redis.start()
    server.wait_ready()
    server.make_keys()
    assert server.send("ok-late@d35.test").status == 202


# ---- the identity of the store ----

def wipe(redis):
    redis("FLUSHALL")
    redis.kill()
    for path in (redis.directory / "appendonlydir").glob("*"):
        path.unlink()
    redis.start()


def test_a_redis_that_comes_back_empty_is_refused(make_redis, make_postern):
    redis = make_redis()
    server = make_postern(crashes=True, redis=redis)
    assert server.send("ok-before@d35.test").status == 202
    wipe(redis)
    answer = server.send("ok-into-the-void@d35.test")
    assert answer.status in (401, 503), answer
    not_ready(server)
    time.sleep(2)
    not_ready(server)
    assert redis("DBSIZE") == 0


def test_a_server_started_on_an_emptied_redis_is_not_ready(make_redis, make_postern):
    """Its data directory remembers which store it belonged to."""
    redis = make_redis()
    server = make_postern(crashes=True, redis=redis)
    server.stop()
    wipe(redis)
    server.launch()
    harness.wait_for(lambda: is_alive(server), 20)
    not_ready(server)


def is_alive(server):
    try:
        return server.request("GET", "/healthz", key=None).status == 200
    except OSError:
        return False


def test_a_store_of_a_newer_schema_is_refused(make_redis, make_postern):
    redis = make_redis()
    server = make_postern(crashes=True, redis=redis, keys=False)
    server.stop()
    redis("HSET", "pn:{g}:meta", "schema", "9999")
    before = redis("HGETALL", "pn:{g}:meta")
    server.launch()
    harness.wait_for(lambda: is_alive(server), 20)
    not_ready(server)
    assert redis("HGETALL", "pn:{g}:meta") == before


# ---- CONFIG denied ----

def restrict(redis, *rules):
    redis("ACL", "SETUSER", "postern", "on", ">secret", "~*", "&*", "+@all", *rules)


def tcp_redis(make_redis):
    port = harness.free_port()
    redis = make_redis(port=str(port))
    return redis, f"redis://postern:secret@127.0.0.1:{port}"


def test_settings_that_cannot_be_read_count_as_wrong(make_redis, make_postern):
    redis, url = tcp_redis(make_redis)
    restrict(redis, "-config")
    server = launched(make_postern, redis, redis_url=url)
    not_ready(server, "config")


def test_an_operator_can_assert_settings_that_cannot_be_read(make_redis, make_postern):
    redis, url = tcp_redis(make_redis)
    restrict(redis, "-config")
    server = make_postern({"redis_url": url, "assert_redis_settings": True}, redis=redis)
    assert server.send("ok-vouched@d35.test").json()["durability"] == "fsync"


def test_a_redis_over_tcp_with_user_and_password_works(make_redis, make_postern):
    redis, url = tcp_redis(make_redis)
    restrict(redis)
    server = make_postern({"redis_url": url}, redis=redis)
    assert server.deliver("ok-tcp@d35.test")["status"] == "delivered"
    assert "secret" not in server.log()


def test_a_wrong_password_is_reported_as_the_reason(make_redis, make_postern):
    redis, url = tcp_redis(make_redis)
    restrict(redis)
    server = launched(make_postern, redis, redis_url=url.replace("secret", "wrongword"))
    not_ready(server)
    assert "wrongword" not in server.log()


# ---- full, read only ----

def with_deferred_mail(make_postern, world, redis, name):
    """A server, and the id of a message that is delivered at the second attempt, in two seconds."""
    server = make_postern({**world.settings, "retry_first_s": 2, "retry_first_otp_s": 2}, redis=redis)
    id = server.send(f"first1fail-{name}@d36.test", key=server.live_key).json()["id"]
    server.wait_status(id, "deferred", key=server.live_key)
    return server, id


def test_a_full_redis_refuses_new_mail_and_drains_the_old(make_redis, make_postern, world):
    redis = make_redis()
    server, id = with_deferred_mail(make_postern, world, redis, "full")
    redis("CONFIG", "SET", "maxmemory", "1mb")
    answer = server.send("ok-toomuch@d36.test", key=server.live_key)
    assert answer.status == 503 and answer.json()["type"] == "/problems/not-accepted"
    assert server.wait_terminal(id, key=server.live_key)["status"] == "delivered"
    redis("CONFIG", "SET", "maxmemory", "0")
    harness.wait_for(lambda: server.send("ok-room@d36.test", key=server.live_key).status == 202, 20)
    assert world.sink.wait_taken("ok-room@d36.test")


def test_a_full_redis_is_drained_after_a_restart_too(make_redis, make_postern, world):
    redis = make_redis()
    server, id = with_deferred_mail(make_postern, world, redis, "refull")
    server.stop()
    redis("CONFIG", "SET", "maxmemory", "1mb")
    server.launch()
    harness.wait_for(lambda: is_alive(server), 20)
    assert server.wait_terminal(id, key=server.live_key)["status"] == "delivered"
    not_ready(server, "of 1048576 bytes")
    refuses_to_send(server, server.live_key)


def test_a_full_redis_without_the_functions_says_what_to_do(make_redis, make_postern, world):
    """As at the first start of a new version, and after FUNCTION FLUSH."""
    redis = make_redis()
    server, id = with_deferred_mail(make_postern, world, redis, "nofunctions")
    redis("CONFIG", "SET", "maxmemory", "1mb")
    redis("FUNCTION", "FLUSH")
    fact = {"fact": "store.not_now", "reason": "the functions of Postern cannot be loaded (if Redis is full, raise its maxmemory)"}
    harness.wait_for(lambda: any(fact.items() <= line.items() for line in server.log_lines()), 20, what="the log says it")
    server.crash()
    server.launch()
    not_ready(server, "the functions of postern cannot be loaded", "raise its maxmemory", "oom command not allowed")
    redis("CONFIG", "SET", "maxmemory", "0")
    assert server.wait_terminal(id, key=server.live_key, timeout=60)["status"] == "delivered"


def test_a_key_can_be_revoked_while_redis_is_full(make_redis, make_postern):
    redis = make_redis()
    server = make_postern(redis=redis)
    key = server.create_key("leaked", test=True)
    inbox = lambda: server.request("GET", "/v1/test/inbox?to=a@b.example", key=key).status
    assert inbox() == 200
    redis("CONFIG", "SET", "maxmemory", "1mb")
    harness.wait_for(lambda: server.internal("/readyz").status == 503, 20)
    assert inbox() == 200
    server.cli("key", "revoke", server.key_id(key))
    harness.wait_for(lambda: inbox() == 401, 10, what="401 for the revoked key")


def test_a_read_only_redis_delays_mail_and_loses_none(make_redis, make_postern, world):
    """A demoted primary: no mail is accepted, none fails, and delivery continues when it is primary again."""
    redis = make_redis()
    server = make_postern(world.settings, redis=redis)
    redis("CONFIG", "SET", "replica-serve-stale-data", "yes")
    redis("REPLICAOF", "127.0.0.1", "1")
    answer = server.send("ok-readonly@d36.test", key=server.live_key)
    assert answer.status == 503 and answer.json()["type"] == "/problems/not-accepted"
    redis("REPLICAOF", "NO", "ONE")
    harness.wait_for(lambda: server.send("ok-writable@d36.test", key=server.live_key).status == 202, 80)
    assert world.sink.wait_taken("ok-writable@d36.test")

"""A store of four partitions is used like one of one."""
import pytest

from support import harness
from support.harness import RedisClient

N = 4


@pytest.fixture
def server(make_postern, world):
    return make_postern({**world.settings, "partitions": N, "webhook_allow_private": True, "webhook_retry_s": 1, "retry_first_s": 3600, "retry_max_s": 3600})


def partition(id):
    """The last two characters of an id name it."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return alphabet.index(id[-2]) * 32 + alphabet.index(id[-1])


def send_to_all(server, to, key=None, **fields):
    """One message a partition: {partition: id}."""
    ids = {}
    while len(ids) < N:
        answer = server.send(to, key=key or server.test_key, **fields)
        assert answer.status == 202, answer
        ids.setdefault(partition(answer.json()["id"]), answer.json()["id"])
        assert len(ids) < 100
    return ids


def listed_in(server, address, mode="live"):
    with RedisClient(server.redis_socket) as r:
        return [r("HEXISTS", f"pn:{{p{p}}}:sup:{mode}:1", address) for p in range(N)]


# ---- suppressions ----

def test_a_bounce_suppresses_in_every_partition_and_a_removal_frees_in_every_one(server):
    live, gone = server.live_key, "rcpt550-gone@d16.test"
    id = server.send(gone, key=live).json()["id"]
    assert server.wait_terminal(id, key=live)["status"] == "bounced"
    harness.wait_for(lambda: listed_in(server, gone) == [1] * N, what="the bounce is known everywhere")
    for id in send_to_all(server, gone, live).values():
        assert server.message(id, live)["status"] == "suppressed"
    shown = server.request("GET", f"/v1/suppressions/{gone}", key=live).json()
    assert shown["reason"] == "bounce" and server.request("GET", "/v1/suppressions", key=live).json()["data"] == [shown]
    assert server.request("DELETE", f"/v1/suppressions/{gone}", key=live).status == 204
    assert listed_in(server, gone) == [0] * N
    assert server.wait_terminal(server.send(gone, key=live).json()["id"], key=live)["status"] == "bounced"


def test_what_bounced_while_no_keeper_lived_is_brought_by_the_next(make_postern, world, make_redis):
    redis = make_redis()
    settings = {**world.settings, "partitions": N}
    server = make_postern({**settings, "roles": "api,relay"}, redis=redis)
    gone, live = "rcpt550-alone@d16.test", server.live_key
    id = server.send(gone, key=live).json()["id"]
    assert server.wait_terminal(id, key=live)["status"] == "bounced"
    assert listed_in(server, gone) == [int(p == partition(id)) for p in range(N)]
    make_postern({**settings, "roles": "keeper", "listen": f"127.0.0.1:{harness.free_port()}"}, redis=redis, start=False).launch()
    harness.wait_for(lambda: listed_in(server, gone) == [1] * N, 30, what="the keeper brings it")


def test_a_suppression_by_request_counts_everywhere_at_once(server):
    assert server.request("POST", "/v1/suppressions", json={"email": "Req@sup.test"}).status == 201
    for id in send_to_all(server, "req@sup.test").values():
        assert server.message(id)["status"] == "suppressed"
    assert server.request("POST", "/v1/suppressions", json={"email": "req@sup.test"}).status == 200
    assert server.request("DELETE", "/v1/suppressions/req@sup.test").status == 204
    assert server.request("DELETE", "/v1/suppressions/req@sup.test").status == 404
    for id in send_to_all(server, "req@sup.test").values():
        assert server.wait_terminal(id)["status"] == "delivered"
